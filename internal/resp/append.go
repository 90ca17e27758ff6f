package resp

import "strconv"

// AppendCommand appends a command as servers take it: an array of bulk strings.
func AppendCommand(dst []byte, args [][]byte) []byte {
	dst = AppendArrayHeader(dst, len(args))
	for _, a := range args {
		dst = AppendBulk(dst, a)
	}
	return dst
}

func appendHeader(dst []byte, typ byte, n int) []byte {
	switch {
	case n < 10 && n >= 0:
		return append(dst, typ, byte('0'+n), '\r', '\n')
	case n < 100 && n >= 0:
		return append(dst, typ, byte('0'+n/10), byte('0'+n%10), '\r', '\n')
	}
	dst = strconv.AppendInt(append(dst, typ), int64(n), 10)
	return append(dst, '\r', '\n')
}

// AppendBulkHeader appends the head of a bulk string of n bytes. The bytes and a CRLF
// (AppendCRLF) are to follow.
func AppendBulkHeader(dst []byte, n int) []byte { return appendHeader(dst, TypeBulk, n) }

// AppendCRLF appends the end of a bulk string.
func AppendCRLF(dst []byte) []byte { return append(dst, '\r', '\n') }

// AppendArrayHeader appends the head of an array; n elements are to follow.
func AppendArrayHeader(dst []byte, n int) []byte { return appendHeader(dst, TypeArray, n) }

// AppendMapHeader appends the head of a map; n pairs of key and value are to follow.
func AppendMapHeader(dst []byte, n int) []byte { return appendHeader(dst, TypeMap, n) }

// AppendInteger appends an integer.
func AppendInteger(dst []byte, n int64) []byte {
	dst = strconv.AppendInt(append(dst, TypeInteger), n, 10)
	return append(dst, '\r', '\n')
}

// AppendBulk appends a bulk string.
func AppendBulk(dst, b []byte) []byte {
	dst = AppendBulkHeader(dst, len(b))
	dst = append(dst, b...)
	return append(dst, '\r', '\n')
}

// AppendError appends a simple error. CR and LF, which it cannot hold, become spaces.
func AppendError(dst []byte, text string) []byte { return appendLine(dst, TypeError, text) }

// AppendNull appends a null.
func AppendNull(dst []byte) []byte { return append(dst, TypeNull, '\r', '\n') }

func appendLine(dst []byte, typ byte, text string) []byte {
	dst = append(dst, typ)
	for i := range len(text) {
		c := text[i]
		if c == '\r' || c == '\n' {
			c = ' '
		}
		dst = append(dst, c)
	}
	return append(dst, '\r', '\n')
}
