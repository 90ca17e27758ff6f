// Package resp is the RESP3 wire format: commands out, reply frames in. It does no I/O and
// copies nothing: replies stay slices of the buffers they were received in.
//
// The format is that of https://github.com/redis/redis-specifications/blob/master/protocol/RESP3.md
// as Valkey 7.2 and newer and Redis 6 to 7.2 speak it. The streamed types ("$?" and "*?")
// are protocol errors because no server sends them.
package resp

// MaxLength is the largest length of a string, and the largest number of elements of an
// aggregate, that is believed. Valkey's own default for strings (proto-max-bulk-len) is
// 512 MiB; a larger one can be configured.
const MaxLength = 1<<31 - 1

// The type bytes of RESP3.
const (
	TypeSimple    = '+'
	TypeError     = '-'
	TypeInteger   = ':'
	TypeBulk      = '$'
	TypeArray     = '*'
	TypeNull      = '_'
	TypeDouble    = ','
	TypeBoolean   = '#'
	TypeBulkError = '!'
	TypeVerbatim  = '='
	TypeBigNumber = '('
	TypeSet       = '~'
	TypeMap       = '%'
	TypeAttribute = '|'
	TypePush      = '>'
)
