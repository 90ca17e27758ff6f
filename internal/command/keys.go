package command

import (
	"fmt"
	"math"

	"github.com/valkeybatch/valkeybatch/internal/command/meta"
)

// MalformedError says that the keys of a call cannot be found because the call is malformed.
type MalformedError struct {
	// Command is the command's name.
	Command string
	// Reason says what is wrong with the call.
	Reason string
}

// Error implements error.
func (e *MalformedError) Error() string { return fmt.Sprintf("%s: %s", e.Command, e.Reason) }

// keySpec is a key specification in the form that Keys goes by.
type keySpec struct {
	begin   meta.BeginKind
	find    meta.FindKind
	index   int
	keyword string // upper case
	from    int
	last    int
	step    int
	limit   int
	num     int
	first   int
	use     KeyUse
	channel bool
}

// setKeys takes the server's key specifications over. Those with the flag not_key are kept:
// they are channels that hash to a slot like a key (SPUBLISH).
func (c *Info) setKeys(specs []meta.KeySpec) {
	for i := range specs {
		s := &specs[i]
		if s.Begin == meta.BeginUnknown || s.Find == meta.FindUnknown || s.Has("incomplete") {
			c.unknownKeys = true
		}
		if s.Begin == meta.BeginUnknown || s.Find == meta.FindUnknown {
			continue
		}
		c.specs = append(c.specs, keySpec{
			begin: s.Begin, find: s.Find, index: s.Index, keyword: upper(s.Keyword), from: s.From,
			last: s.Last, step: s.Step, limit: s.Limit, num: s.NumIndex, first: s.First,
			use: useOf(s), channel: s.Has("not_key"),
		})
	}
	if c.Has(MovableKeys) && len(c.specs) == 0 {
		c.unknownKeys = true
	}
	if c.byHand = keysByHand[c.Name]; c.byHand != nil {
		c.unknownKeys = false
		return
	}
	if len(c.specs) == 1 && !c.unknownKeys {
		if s := &c.specs[0]; s.begin == meta.BeginIndex && s.find == meta.FindRange && s.last == 0 {
			c.fixed = s.index
		}
	}
}

// Keys appends to dst the position in args of every key of a call, in order, and returns
// the extended slice. Channels that are routed like keys count as keys. An error is a
// *MalformedError: the call is malformed and any server will say so in its own words; what
// was appended by then is returned with it. It does not allocate but to extend dst.
func (c *Info) Keys(args [][]byte, dst []int) ([]int, error) {
	if c == nil {
		return dst, nil
	}
	if c.fixed > 0 {
		if c.fixed >= len(args) {
			return dst, c.malformed("too few arguments")
		}
		return append(dst, c.fixed), nil
	}
	if c.byHand != nil {
		dst, wrong := c.byHand(args, dst)
		if wrong != "" {
			return dst, c.malformed(wrong)
		}
		return dst, nil
	}
	for i := range c.specs {
		var err error
		if dst, err = c.keysOf(&c.specs[i], args, dst); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (c *Info) malformed(reason string) error {
	return &MalformedError{Command: c.Name, Reason: reason}
}

// keysOf appends the keys of one specification, by the rules by which the server itself
// finds the keys to route by.
func (c *Info) keysOf(s *keySpec, args [][]byte, dst []int) ([]int, error) {
	first := s.index
	if s.begin == meta.BeginKeyword {
		if first = keywordPosition(args, s.keyword, s.from) + 1; first == 0 {
			return dst, nil
		}
	}
	var last int
	if s.find == meta.FindKeyNum {
		at := first + s.num
		if at >= len(args) {
			return dst, c.malformed("the number of keys is missing")
		}
		n, ok := parseCount(args[at])
		if !ok {
			return dst, c.malformed("the number of keys is not a number")
		}
		if n == 0 && c.Has(NoMandatoryKeys) {
			return dst, nil
		}
		if n < 1 {
			return dst, c.malformed("the number of keys is not positive")
		}
		if n > len(args) {
			return dst, c.malformed("the number of keys is beyond the arguments")
		}
		first += s.first
		last = first + (n-1)*s.step
	} else {
		switch {
		case s.last >= 0:
			last = first + s.last
		case s.limit <= 1:
			last = len(args) + s.last
		default:
			last = first + (len(args)-first)/s.limit + s.last
		}
	}
	if first >= len(args) || last >= len(args) || last < first {
		return dst, c.malformed("too few arguments for its keys")
	}
	for i := first; i <= last; i += s.step {
		dst = append(dst, i)
	}
	return dst, nil
}

// keywordPosition returns the position of the keyword among args, or -1. The search starts
// at from; from the end, and backwards, if from is negative. The last argument is never the
// keyword, as keys follow it.
func keywordPosition(args [][]byte, keyword string, from int) int {
	if from > 0 {
		for i := from; i < len(args)-1; i++ {
			if optionIs(args[i], keyword) {
				return i
			}
		}
		return -1
	}
	for i := len(args) + from; i > 1; i-- {
		if i < len(args) && optionIs(args[i], keyword) {
			return i
		}
	}
	return -1
}

// parseCount reads a number of keys with the leniency with which the server finds the keys to
// route by: C's atoi on 64 bits, which ignores white space and a plus sign before the digits
// and anything behind them, and keeps the lower 32 bits. The server goes on to reject most of
// what only atoi takes for a number, but on the node that it has been routed to.
func parseCount(b []byte) (n int, ok bool) {
	for len(b) > 0 && (b[0] == ' ' || ('\t' <= b[0] && b[0] <= '\r')) {
		b = b[1:]
	}
	negative := len(b) > 0 && b[0] == '-'
	if negative || (len(b) > 0 && b[0] == '+') {
		b = b[1:]
	}
	var value int64
	for i, c := range b {
		if c < '0' || c > '9' {
			b = b[:i]
			break
		}
		switch digit := int64(c - '0'); {
		case value > (math.MaxInt64-digit)/10:
			value = math.MaxInt64 // and so with every digit to come
		default:
			value = value*10 + digit
		}
	}
	if negative {
		value = -value
	}
	return int(int32(value)), len(b) > 0
}
