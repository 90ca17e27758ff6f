package resp_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/resp"
)

func TestFrameErrors(t *testing.T) {
	for _, tc := range []struct{ in, text, code string }{
		{"-ERR syntax error\r\n", "ERR syntax error", "ERR"},
		{"-WRONGTYPE Operation\r\n", "WRONGTYPE Operation", "WRONGTYPE"},
		{"-MOVED 3999 127.0.0.1:6381\r\n", "MOVED 3999 127.0.0.1:6381", "MOVED"},
		{"-NOAUTH\r\n", "NOAUTH", "NOAUTH"},
		{"-ERR_X y\r\n", "ERR_X y", "ERR_X"},
		{"-My error\r\n", "My error", "ERR"},
		{"-WRONG: colon\r\n", "WRONG: colon", "ERR"},
		{"-123 x\r\n", "123 x", "ERR"},
		{"-\r\n", "", "ERR"},
		{"- X\r\n", " X", "ERR"},
		{"!21\r\nSYNTAX invalid syntax\r\n", "SYNTAX invalid syntax", "SYNTAX"},
		{"!5\r\na\r\nbc\r\n", "a\r\nbc", "ERR"},
	} {
		f := resp.Frame(tc.in)
		if !f.IsError() || f.ErrorText() != tc.text || f.ErrorCode() != tc.code {
			t.Errorf("%q: error %v, text %q, code %q", tc.in, f.IsError(), f.ErrorText(), f.ErrorCode())
		}
	}
	for _, in := range []string{"", "+ERR x\r\n", "$3\r\nERR\r\n", "*1\r\n-ERR x\r\n"} {
		if f := resp.Frame(in); f.IsError() || f.ErrorText() != "" || f.ErrorCode() != "" {
			t.Errorf("%q taken for an error", in)
		}
	}
}

func TestFrameScalars(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int64
		ok   bool
	}{{":7\r\n", 7, true}, {":-9223372036854775808\r\n", -1 << 63, true}, {":9999999999999999999\r\n", 0, false}, {"+7\r\n", 0, false}, {":7", 0, false}, {"", 0, false}} {
		got, ok := resp.Frame(tc.in).Integer()
		if ok != tc.ok || (ok && got != tc.want) {
			t.Errorf("%q: %d %v", tc.in, got, ok)
		}
	}
	for in, want := range map[string]bool{"_\r\n": true, "$-1\r\n": true, "*-1\r\n": true, "$0\r\n\r\n": false, "*0\r\n": false, "": false} {
		if resp.Frame(in).IsNull() != want {
			t.Errorf("%q: null %v", in, !want)
		}
	}
	if !resp.Frame("+OK\r\n").IsSimple("OK") || resp.Frame("+OKX\r\n").IsSimple("OK") || resp.Frame("").IsSimple("") {
		t.Error("IsSimple")
	}
	if b, ok := resp.Frame("$2\r\n\r\n\r\n").Bytes(); string(b) != "\r\n" || !ok {
		t.Errorf("Bytes: %q %v", b, ok)
	}
	if _, ok := resp.Frame("$-1\r\n").Bytes(); ok {
		t.Error("a null has bytes")
	}
}

// elements cuts the top-level elements of an aggregate apart, until they end or are malformed.
func elements(f resp.Frame) (all []string) {
	e, rest, err := resp.Next(f)
	n := e.Count
	if e.Type == '%' {
		n *= 2
	}
	for ; err == nil && n > 0; n-- {
		var element resp.Frame
		if element, rest, err = resp.Cut(rest); err == nil {
			all = append(all, string(element))
		}
	}
	return all
}

func TestCut(t *testing.T) {
	for in, want := range map[string][]string{
		"%2\r\n:1\r\n*2\r\n:2\r\n$1\r\na\r\n|1\r\n+x\r\n+y\r\n#t\r\n_\r\n": {":1\r\n", "*2\r\n:2\r\n$1\r\na\r\n", "#t\r\n", "_\r\n"},
		"": nil, ":1\r\n": nil, "*0\r\n": nil, "*-1\r\n": nil,
		"*3\r\n:1\r\n:2\r\nx": {":1\r\n", ":2\r\n"},
	} {
		if diff := cmp.Diff(want, elements(resp.Frame(in))); diff != "" {
			t.Errorf("%q: %s", in, diff)
		}
	}
}

func TestNext(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want resp.Element
	}{
		{"+OK\r\n", resp.Element{Type: '+', Text: []byte("OK")}},
		{"=7\r\ntxt:abc\r\n", resp.Element{Type: '=', Text: []byte("txt:abc")}},
		{",-nan\r\n", resp.Element{Type: ',', Text: []byte("-nan")}},
		{"#f\r\n", resp.Element{Type: '#', Text: []byte("f")}},
		{"$-1\r\n", resp.Element{Type: '_'}},
		{"*-1\r\n", resp.Element{Type: '_'}},
		{"%3\r\n", resp.Element{Type: '%', Count: 3}},
		{"|1\r\n+a\r\n*1\r\n:1\r\n:7\r\n", resp.Element{Type: ':', Text: []byte("7")}},
	} {
		got, rest, err := resp.Next([]byte(tc.in + "+next\r\n"))
		if err != nil || string(rest) != "+next\r\n" {
			t.Errorf("%q: rest %q, error %v", tc.in, rest, err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%q: %s", tc.in, diff)
		}
	}
	for _, in := range []string{"", "$3\r\nab", "x\r\n", "*1", "*-2\r\n", "|1\r\n+a\r\n", "|2147483647\r\n:1\r\n"} {
		if e, _, err := resp.Next([]byte(in)); err == nil {
			t.Errorf("%q: %+v without an error", in, e)
		}
	}
}

func TestAppend(t *testing.T) {
	for _, n := range []int{0, 9, 10, 99, 100, 12345} {
		args := [][]byte{[]byte("SET"), bytes.Repeat([]byte{0}, n), {}}
		got := resp.AppendCommand(nil, args)
		f, rest, err := resp.Cut(got)
		if err != nil || len(rest) != 0 {
			t.Fatal(err)
		}
		all := elements(f)
		if len(all) != len(args) {
			t.Fatalf("%d arguments", len(all))
		}
		for i, e := range all {
			if b, ok := resp.Frame(e).Bytes(); !ok || !bytes.Equal(b, args[i]) {
				t.Errorf("argument %d: %q", i, e)
			}
		}
	}
	var b []byte
	b = resp.AppendArrayHeader(b, 5)
	b = resp.AppendMapHeader(b, 1)
	b = resp.AppendInteger(b, -5)
	b = resp.AppendNull(b)
	b = resp.AppendBulk(b, nil)
	b = resp.AppendError(b, "ERR c\nd")
	if want := "*5\r\n%1\r\n:-5\r\n_\r\n$0\r\n\r\n-ERR c d\r\n"; string(b) != want {
		t.Errorf("%q", b)
	}
}

func BenchmarkAppendCommand(b *testing.B) {
	args := [][]byte{[]byte("SET"), []byte("key:0000001234"), []byte("0123456789abcdef")}
	buf := make([]byte, 0, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		if len(buf) > 60000 {
			buf = buf[:0]
		}
		buf = resp.AppendCommand(buf, args)
	}
}

func BenchmarkScanner(b *testing.B) {
	for name, frame := range map[string]string{
		"bulk16": "$16\r\n0123456789abcdef\r\n", "bulk1K": "$1024\r\n" + strings.Repeat("x", 1024) + "\r\n",
		"ok": "+OK\r\n", "int": ":12345\r\n", "list100": "*100\r\n" + strings.Repeat("$16\r\n0123456789abcdef\r\n", 100),
	} {
		b.Run(name, func(b *testing.B) {
			stream := []byte(strings.Repeat(frame, 100))
			var s resp.Scanner
			pos := 0
			b.ReportAllocs()
			b.SetBytes(int64(len(frame)))
			for b.Loop() {
				if pos == len(stream) {
					pos = 0
				}
				n, _, _ := s.Scan(stream[pos:])
				pos += n
			}
		})
	}
}

func TestBytes(t *testing.T) {
	for frame, want := range map[string]string{
		"$0\r\n\r\n": "", "$3\r\nabc\r\n": "abc", "$4\r\n\r\n\r\n\r\n": "\r\n\r\n", "$12\r\nabcdefghijkl\r\n": "abcdefghijkl",
	} {
		if got, ok := resp.Frame(frame).Bytes(); !ok || string(got) != want || cap(got) != len(got) {
			t.Errorf("%q: got %q, %v", frame, got, ok)
		}
	}
	for _, frame := range []string{
		"", "$", "$3\r\n", "$3\r\nab\r\n", "$3\r\nabcd\r\n", "$3\r\nabc\r\n+", "$3\r\nabc\n\r", "$-1\r\n", "$03\r\nabc\r\n",
		"+OK\r\n", "=3\r\nabc\r\n", "$99999999999\r\nabc\r\n", "_\r\n",
	} {
		if got, ok := resp.Frame(frame).Bytes(); ok {
			t.Errorf("%q: got %q", frame, got)
		}
	}
}
