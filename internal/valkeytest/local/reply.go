package local

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Reply is one complete RESP reply as the server sent it, nested elements included.
type Reply []byte

// maxBulk bounds what one bulk string of a reply may declare: Valkey's own proto-max-bulk-len
// default of 512 MiB, with room.
const maxBulk = 1 << 30

// Err returns the server's error when the reply is one, nil otherwise.
func (r Reply) Err() error {
	if len(r) > 0 && (r[0] == '-' || r[0] == '!') {
		return errors.New(r.Text())
	}
	return nil
}

// Text returns the payload of a scalar reply (simple, bulk or verbatim string, number,
// error), the empty string for null and for aggregates.
func (r Reply) Text() string {
	line, rest, ok := bytes.Cut(r, []byte("\r\n"))
	if !ok || len(line) == 0 {
		return ""
	}
	switch line[0] {
	case '$', '!', '=':
		n, err := strconv.Atoi(string(line[1:]))
		if err != nil || n < 0 || n > len(rest) {
			return ""
		}
		if line[0] == '=' && n >= 4 {
			return string(rest[4:n]) // past "txt:"
		}
		return string(rest[:n])
	case '*', '%', '~', '>', '_':
		return ""
	default:
		return string(line[1:])
	}
}

// Int returns the value of an integer reply, or an error that quotes what came instead.
func (r Reply) Int() (int64, error) {
	if len(r) == 0 || r[0] != ':' {
		return 0, fmt.Errorf("want an integer reply, got %q", r)
	}
	return strconv.ParseInt(r.Text(), 10, 64)
}

// Strings returns the payloads of a flat array or set of scalars.
func (r Reply) Strings() ([]string, error) {
	if err := r.Err(); err != nil {
		return nil, err
	}
	br := bufio.NewReader(bytes.NewReader(r))
	line, err := readLine(br)
	if err != nil || (line[0] != '*' && line[0] != '~') {
		return nil, fmt.Errorf("want an array reply, got %q", r)
	}
	n, err := strconv.Atoi(string(line[1 : len(line)-2]))
	if err != nil {
		return nil, err
	}
	var out []string
	for range n {
		e, err := readReply(br, nil, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, Reply(e).Text())
	}
	return out, nil
}

// readReply appends one complete reply to dst. The recursion is bounded.
func readReply(br *bufio.Reader, dst []byte, depth int) ([]byte, error) {
	if depth > 10_000 {
		return nil, errors.New("reply nested deeper than 10000")
	}
	line, err := readLine(br)
	if err != nil {
		return nil, err
	}
	dst = append(dst, line...)
	kind, count := line[0], line[1:len(line)-2]
	switch kind {
	case '+', '-', ':', '_', ',', '#', '(':
		return dst, nil
	}
	n, err := strconv.Atoi(string(count))
	if err != nil || n < -1 {
		return nil, fmt.Errorf("bad length in reply header %q", line)
	}
	switch kind {
	case '$', '!', '=':
		if n > maxBulk {
			return nil, fmt.Errorf("bulk of %d bytes", n)
		}
		if n < 0 {
			return dst, nil
		}
		start := len(dst)
		dst = append(dst, make([]byte, n+2)...)
		_, err := io.ReadFull(br, dst[start:])
		return dst, err
	case '%', '|':
		n *= 2
	case '*', '~', '>':
	default:
		return nil, fmt.Errorf("unknown reply type in %q", line)
	}
	if kind == '|' { // attributes precede the reply that they belong to
		n++
	}
	for range n {
		if dst, err = readReply(br, dst, depth+1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// readLine returns one line, its CRLF included: at least a type byte and the CRLF.
func readLine(br *bufio.Reader) ([]byte, error) {
	line, err := br.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return nil, fmt.Errorf("malformed reply line %q", line)
	}
	return line, nil
}
