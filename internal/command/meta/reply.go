package meta

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// ReplyError says that a reply is not one to COMMAND.
type ReplyError struct {
	// Reason says what is wrong with it.
	Reason string
}

// Error implements error.
func (e *ReplyError) Error() string { return "malformed COMMAND reply: " + e.Reason }

// maxNesting bounds how deep elements that are skipped may nest: COMMAND's own reply has
// seven levels.
const maxNesting = 16

// ParseReply reads the reply to COMMAND or COMMAND INFO, of RESP2 or RESP3. Containers come
// before their subcommands; names that the server did not know (null elements) are left
// out. An error reply, and one that is not COMMAND's, is a *ReplyError.
func ParseReply(f resp.Frame) ([]Row, error) {
	if f.IsError() {
		return nil, &ReplyError{Reason: "the server answered " + strconv.Quote(f.ErrorText())}
	}
	c := cursor{rest: f}
	n := c.aggregate()
	var rows []Row
	for range n {
		if rows = c.command(rows, "", 0); c.err != nil {
			break
		}
	}
	if c.err == nil && len(c.rest) > 0 {
		c.fail("bytes behind its end")
	}
	if c.err != nil {
		return nil, c.err
	}
	return rows, nil
}

// cursor walks the tokens of a reply; after the first error it stands still.
type cursor struct {
	rest []byte
	err  error
}

func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = &ReplyError{Reason: fmt.Sprintf(format, args...)}
	}
}

func (c *cursor) next() resp.Element {
	if c.err != nil {
		return resp.Element{}
	}
	e, rest, err := resp.Next(c.rest)
	if err != nil {
		c.err = errors.Join(&ReplyError{Reason: "broken frame"}, err)
		return resp.Element{}
	}
	c.rest = rest
	return e
}

// children is how many elements follow e that belong to it.
func children(e resp.Element) int {
	switch e.Type {
	case '*', '~', '>':
		return max(e.Count, 0)
	case '%':
		return 2 * max(e.Count, 0)
	}
	return 0
}

// aggregate reads the head of an array, set or map and returns the number of its elements.
func (c *cursor) aggregate() int {
	e := c.next()
	switch e.Type {
	case '*', '~', '%':
		return children(e)
	case '_':
		return 0
	}
	c.fail("type %q instead of an array", e.Type)
	return 0
}

// text reads a string.
func (c *cursor) text() string {
	e := c.next()
	switch e.Type {
	case '+', '$', '=':
		return string(e.Text)
	}
	c.fail("type %q instead of a string", e.Type)
	return ""
}

// integer reads an integer that fits an argument position.
func (c *cursor) integer() int {
	e := c.next()
	if e.Type != ':' {
		c.fail("type %q instead of an integer", e.Type)
		return 0
	}
	n, err := strconv.ParseInt(string(e.Text), 10, 32)
	if err != nil {
		c.fail("integer %q out of range", e.Text)
	}
	return int(n)
}

// skip passes over one element with all that belongs to it.
func (c *cursor) skip(depth int) {
	if depth > maxNesting {
		c.fail("nested deeper than %d", maxNesting)
		return
	}
	n := children(c.next())
	for i := 0; i < n && c.err == nil; i++ {
		c.skip(depth + 1)
	}
}

// words reads an array of strings, lower-cased and sorted, with prefix taken off each.
func (c *cursor) words(prefix string) []string {
	var words []string
	n := c.aggregate()
	for i := 0; i < n && c.err == nil; i++ {
		words = append(words, strings.TrimPrefix(strings.ToLower(c.text()), prefix))
	}
	slices.Sort(words)
	return words
}

// command reads one command and, behind it, its subcommands.
func (c *cursor) command(rows []Row, container string, depth int) []Row {
	e := c.next()
	if c.err != nil || e.Type == '_' || (e.Type == '*' && e.Count < 0) || e.Type == '$' {
		return rows // a name that the server did not know
	}
	if e.Type != '*' || e.Count < 6 {
		c.fail("type %q with %d elements instead of a command", e.Type, e.Count)
		return rows
	}
	row := Row{Name: strings.ToLower(c.text()), Arity: c.integer(), Flags: c.words("")}
	first, last, step := c.integer(), c.integer(), c.integer()
	if container != "" && !strings.HasPrefix(row.Name, container+"|") {
		row.Name = container + "|" + row.Name
	}
	if c.err == nil && !validName(row.Name) {
		c.fail("command name %q", row.Name)
	}
	if e.Count > 6 {
		row.Categories = c.words("@")
	}
	if row.Old = e.Count < 9; !row.Old {
		row.Tips = c.words("")
		row.Specs = c.keySpecs()
	} else {
		row.Specs = plainRange(first, last, step)
		for i := 7; i < e.Count; i++ {
			c.skip(0)
		}
	}
	at := len(rows)
	rows = append(rows, row)
	if e.Count > 9 {
		n := c.aggregate()
		if n > 0 && depth > 0 {
			c.fail("subcommands of a subcommand")
		}
		for i := 0; i < n && c.err == nil; i++ {
			rows = c.command(rows, rows[at].Name, depth+1)
		}
	}
	for i := 10; i < e.Count && c.err == nil; i++ {
		c.skip(0)
	}
	return rows
}

// plainRange is the specification that first key, last key and step amount to.
func plainRange(first, last, step int) []KeySpec {
	if first <= 0 || step <= 0 {
		return nil
	}
	if last >= 0 {
		last -= first
	}
	return []KeySpec{{Begin: BeginIndex, Index: first, Find: FindRange, Last: last, Step: step}}
}

// validName reports whether a name can be that of a command or a subcommand: the text form
// and the operator's policy rely on it.
func validName(name string) bool {
	if name == "" || len(name) > 128 || name[0] == '|' || name[len(name)-1] == '|' || strings.Count(name, "|") > 1 {
		return false
	}
	for i := range len(name) {
		if b := name[i]; b <= ' ' || b >= 0x7f || b == '#' || b == '"' {
			return false
		}
	}
	return true
}
