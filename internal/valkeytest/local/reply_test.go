package local

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReply(t *testing.T) {
	for _, c := range []struct{ raw, text string }{
		{"+OK\r\n", "OK"},
		{":12\r\n", "12"},
		{"$3\r\na\r\n\r\n", "a\r\n"},
		{"=7\r\ntxt:abc\r\n", "abc"},
		{"$-1\r\n", ""},
		{"_\r\n", ""},
		{",inf\r\n", "inf"},
		{"#t\r\n", "t"},
		{"(123\r\n", "123"},
		{"-ERR x\r\n", "ERR x"},
		{"!5\r\nERR y\r\n", "ERR y"},
		{"*2\r\n:1\r\n*-1\r\n", ""},
		{"%1\r\n+k\r\n~1\r\n+v\r\n", ""},
		{"|1\r\n+k\r\n+v\r\n:7\r\n", ""},
	} {
		got, err := readReply(bufio.NewReader(strings.NewReader(c.raw+"+next\r\n")), nil, 0)
		if err != nil || string(got) != c.raw {
			t.Errorf("%q: got %q, %v", c.raw, got, err)
		}
		if c.raw[0] != '|' && Reply(got).Text() != c.text {
			t.Errorf("%q: text %q", c.raw, Reply(got).Text())
		}
		if isError := c.raw[0] == '-' || c.raw[0] == '!'; isError != (Reply(got).Err() != nil) {
			t.Errorf("%q: error %v", c.raw, Reply(got).Err())
		}
	}
	for _, raw := range []string{"", "\r\n", "+", "$x\r\n", "$-2\r\n", "$3\r\nab", "$2000000000\r\n", "*1\r\n", "?\r\n", "?1\r\n", "\n\n\n"} {
		if got, err := readReply(bufio.NewReader(strings.NewReader(raw)), nil, 0); err == nil {
			t.Errorf("%q is read as %q", raw, got)
		}
	}
	got, err := Reply("~3\r\n+a\r\n$1\r\nb\r\n:3\r\n").Strings()
	if diff := cmp.Diff([]string{"a", "b", "3"}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	for _, raw := range []string{"-ERR x\r\n", ":1\r\n", ""} {
		if _, err := Reply(raw).Strings(); err == nil {
			t.Errorf("%q is taken for an array", raw)
		}
	}
}

func FuzzReadReply(f *testing.F) {
	for _, seed := range []string{"+OK\r\n", "*2\r\n:1\r\n$1\r\na\r\n", "|1\r\n+k\r\n+v\r\n_\r\n", "$-1\r\n", "*-1\r\n", "=5\r\ntxt:a\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		reply, err := readReply(bufio.NewReader(bytes.NewReader(b)), nil, 0)
		if err == nil && !bytes.HasPrefix(b, reply) {
			t.Errorf("%q is read as %q", b, reply)
		}
		_, _, _ = Reply(b).Text(), Reply(b).Err(), Reply(reply).Text()
		_, _ = Reply(b).Strings()
		_, _ = Reply(b).Int()
	})
}
