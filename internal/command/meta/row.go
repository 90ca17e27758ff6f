// Package meta holds what a server says about its commands, as it says it: the rows of the
// reply to COMMAND, read from the wire and from the text form that is committed beside the
// command package.
//
// It makes no judgement; what the rows mean for routing and safety is the command package's.
package meta

import (
	"slices"
	"strings"
)

// Row is one command or subcommand of a server's COMMAND reply.
type Row struct {
	// Name is in lower case; a subcommand's has its container's in front: "config|set".
	Name string
	// Arity counts the words of a call, the name included (and the subcommand's name); a
	// negative number is a minimum.
	Arity int
	// Flags are the command flags in the server's words ("write", "denyoom", ...), sorted.
	Flags []string
	// Categories are the ACL categories without "@", sorted.
	Categories []string
	// Tips are the command tips ("request_policy:all_shards", ...), sorted.
	Tips []string
	// Specs are the key specifications in the server's order.
	Specs []KeySpec
	// Old says that the reply had neither tips nor key specifications, as those of servers
	// before 7.0: Specs are then made from the first key, last key and step.
	Old bool
}

// BeginKind says how the place is found where a specification's keys begin.
type BeginKind uint8

const (
	// BeginUnknown is a place that the server itself does not describe.
	BeginUnknown BeginKind = iota
	// BeginIndex is a fixed place.
	BeginIndex
	// BeginKeyword is the place behind a keyword.
	BeginKeyword
)

// FindKind says how the keys are found from where they begin.
type FindKind uint8

const (
	// FindUnknown is a way that the server itself does not describe.
	FindUnknown FindKind = iota
	// FindRange is a range of arguments.
	FindRange
	// FindKeyNum is an argument that holds the number of keys.
	FindKeyNum
)

// KeySpec is one key specification, as documented for COMMAND: where keys begin
// (begin_search) and how they go on from there (find_keys).
type KeySpec struct {
	// Flags say what the command does with the keys, in the server's words, sorted.
	Flags []string

	Begin BeginKind
	// Index is, for BeginIndex, the position of the first key among all arguments.
	Index int
	// Keyword and From are for BeginKeyword: the word and where the search for it starts;
	// a negative From counts from the end and searches backwards.
	Keyword string
	From    int

	Find FindKind
	// Last, Step and Limit are for FindRange: the last key relative to the first one or,
	// when negative, to the end (-1: the last argument); how far each key is from the one
	// before; and, with Last = -1, by what the number of arguments is divided (0, 1: not).
	Last, Step, Limit int
	// NumIndex and First are for FindKeyNum, beside Step: the position of the number of
	// keys and of the first key, both relative to where the keys begin.
	NumIndex, First int
}

// Has reports whether the specification has the flag, for example "not_key".
func (s *KeySpec) Has(flag string) bool { return slices.Contains(s.Flags, flag) }

// Tip returns what stands behind the name of a tip: Tip("request_policy") is "all_shards"
// for the tip "request_policy:all_shards". It is empty if there is no such tip.
func (r *Row) Tip(name string) string {
	for _, tip := range r.Tips {
		if key, value, ok := strings.Cut(tip, ":"); ok && strings.EqualFold(key, name) {
			return strings.ToLower(value)
		}
	}
	return ""
}
