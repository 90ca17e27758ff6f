package resp_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// feed scans stream in pieces of so many bytes and returns the frames, as top-level type and
// text, and the error that ended it.
func feed(stream []byte, piece, maxDepth int) (frames []string, tooDeep []bool, err error) {
	s := resp.Scanner{MaxDepth: maxDepth}
	start, pos := 0, 0
	for pos < len(stream) {
		end := min(pos+piece, len(stream))
		for pos < end {
			n, done, err := s.Scan(stream[pos:end])
			if err != nil {
				return frames, tooDeep, err
			}
			pos += n
			if done {
				frames = append(frames, string(stream[start:pos]))
				tooDeep = append(tooDeep, s.TooDeep())
				start = pos
			}
		}
	}
	return frames, tooDeep, nil
}

var wellFormed = []string{
	"+OK\r\n", "+\r\n", "+lone\rcr\nlf\r\r\n", "-ERR no\r\n", "-\r\n", ":0\r\n", ":-9223372036854775808\r\n", ":9223372036854775807\r\n",
	"$0\r\n\r\n", "$3\r\nabc\r\n", "$2\r\n\r\n\r\n", "$-1\r\n", "$12\r\nhello\r\nworld\r\n",
	"*0\r\n", "*-1\r\n", "*2\r\n$1\r\na\r\n:1\r\n", "*3\r\n*0\r\n*1\r\n_\r\n-ERR x\r\n",
	"_\r\n", "#t\r\n", "#f\r\n", ",3.14\r\n", ",inf\r\n", ",-inf\r\n", ",nan\r\n", ",1e+20\r\n",
	"(3492890328409238509324850943850943825024385\r\n", "=7\r\ntxt:abc\r\n", "!5\r\nERR x\r\n",
	"~2\r\n:1\r\n:1\r\n", "%0\r\n", "%2\r\n:1\r\n*1\r\n:2\r\n$1\r\na\r\n~0\r\n",
	">2\r\n+message\r\n$1\r\nx\r\n", "|1\r\n+k\r\n*1\r\n:1\r\n",
	"*2\r\n|1\r\n+ttl\r\n:3\r\n$1\r\na\r\n>1\r\n+p\r\n:2\r\n", "*1\r\n|0\r\n>0\r\n:1\r\n",
	"*2\r\n*2\r\n*2\r\n*1\r\n:1\r\n:2\r\n:3\r\n%1\r\n*1\r\n:4\r\n~1\r\n:5\r\n",
	"$1000\r\n" + strings.Repeat("x", 1000) + "\r\n",
}

func TestScannerFindsFramesWhateverThePieces(t *testing.T) {
	stream := []byte(strings.Join(wellFormed, ""))
	for piece := 1; piece < 64; piece++ {
		got, _, err := feed(stream, piece, 0)
		if err != nil {
			t.Fatalf("pieces of %d: %v", piece, err)
		}
		if diff := cmp.Diff(wellFormed, got); diff != "" {
			t.Fatalf("pieces of %d (-want +got):\n%s", piece, diff)
		}
	}
	got, _, err := feed(stream, len(stream), 0)
	if err != nil || !cmp.Equal(wellFormed, got) {
		t.Fatalf("whole: %v, %q", err, got)
	}
}

func TestScannerRejectsMalformed(t *testing.T) {
	for _, in := range []string{
		"x", "\r\n", "$-2\r\n", "$-0\r\n", "*-2\r\n", "%-1\r\n", "~-1\r\n", "=-1\r\n", "!-1\r\n", "$?\r\n", "*?\r\n", "$+1\r\n", "$01\r\n", "$00\r\n", "*1x\r\n",
		"$2147483648\r\n", "$99999999999999999999999\r\n", "*2147483648\r\n", "*9223372036854775808\r\n", "$\r\n", "*\r\n", "$--1\r\n", "$1-\r\n",
		"$3\r\nabcX\n", "$3\r\nabc\rX", "$1\rX", ":\r\n", ":-\r\n", ":1a\r\n", ":+1\r\n", ":12345678901234567890\r\n", ":1\rX",
		"_x\r\n", "#x\r\n", "#\r\n", "#tt\r\n", "#\rt\r\n", ",\r\n", "(\r\n", "=3\r\nabc\r\n", "*1\r\nx", "*1\r\n$-5\r\n", ";4\r\nabcd\r\n", ".\r\n",
	} {
		for _, piece := range []int{1, 2, 3, len(in)} {
			_, _, err := feed([]byte(in), piece, 0)
			var malformed *resp.ProtocolError
			if !errors.As(err, &malformed) {
				t.Errorf("%q in pieces of %d: error %v, want a ProtocolError", in, piece, err)
			}
		}
	}
}

func TestScannerDepth(t *testing.T) {
	nested := func(depth int) string { return strings.Repeat("*1\r\n", depth) + ":1\r\n" }
	wide := "*3\r\n:1\r\n" + "%2\r\n" + nested(3) + ":1\r\n" + nested(2) + "$1\r\nx\r\n" + "*2\r\n|1\r\n" + nested(2) + nested(1) + ":1\r\n>1\r\n+p\r\n" + ":2\r\n"
	for _, tc := range []struct {
		in   string
		max  int
		deep bool
	}{
		{":1\r\n", 1, false}, {nested(1), 1, false}, {nested(2), 1, true}, {nested(32), 0, false}, {nested(33), 0, true},
		{nested(100000), 32, true}, {"*0\r\n", 1, false}, {"*1\r\n*0\r\n", 1, false}, {wide, 5, false}, {wide, 4, true}, {wide, 3, true}, {wide, 2, true}, {wide, 1, true},
	} {
		for _, piece := range []int{1, 5, 4096} {
			// A second frame shows that the boundary was kept and the depth begins anew.
			got, deep, err := feed([]byte(tc.in+"+OK\r\n"), piece, tc.max)
			if err != nil {
				t.Fatalf("%.40q: %v", tc.in, err)
			}
			if !cmp.Equal(got, []string{tc.in, "+OK\r\n"}) || !cmp.Equal(deep, []bool{tc.deep, false}) {
				t.Errorf("%.40q, max %d, pieces %d: %d frames, too deep %v, want %v", tc.in, tc.max, piece, len(got), deep, tc.deep)
			}
		}
	}
}

func TestScannerNeed(t *testing.T) {
	var s resp.Scanner
	for _, step := range []struct {
		in   string
		need int64
	}{{"*2\r\n", 0}, {"$1000000\r", 0}, {"\n", 1000002}, {"abc", 999999}} {
		if _, _, err := s.Scan([]byte(step.in)); err != nil {
			t.Fatal(err)
		}
		if s.Need() != step.need {
			t.Errorf("after %q: need %d, want %d", step.in, s.Need(), step.need)
		}
	}
}

func TestScannerDoesNotAllocate(t *testing.T) {
	stream := []byte(strings.Repeat("*2\r\n$1\r\na\r\n%1\r\n:1\r\n*1\r\n_\r\n$16\r\n0123456789abcdef\r\n", 100))
	var s resp.Scanner
	if n := testing.AllocsPerRun(10, func() {
		for pos := 0; pos < len(stream); {
			n, _, err := s.Scan(stream[pos:min(pos+37, len(stream))])
			if err != nil {
				t.Fatal(err)
			}
			pos += n
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzScanner: scanning in any pieces gives what scanning the whole gives, every frame can be
// walked, and nothing panics.
func FuzzScanner(f *testing.F) {
	for _, s := range wellFormed {
		f.Add([]byte(s), uint8(1), uint8(1))
	}
	f.Add([]byte("*1\r\n*1\r\n*1\r\n$-1\r\n:5\r\n"), uint8(3), uint8(2))
	f.Add([]byte("*2147483647\r\n*2147483647\r\n"), uint8(3), uint8(2))
	f.Fuzz(func(t *testing.T, stream []byte, piece, depth uint8) {
		maxDepth := int(depth%40) + 1
		whole, wholeDeep, wholeErr := feed(stream, max(len(stream), 1), maxDepth)
		parts, partsDeep, partsErr := feed(stream, int(piece)+1, maxDepth)
		if !cmp.Equal(whole, parts) || !cmp.Equal(wholeDeep, partsDeep) || (wholeErr == nil) != (partsErr == nil) {
			t.Fatalf("whole: %q %v; in pieces of %d: %q %v", whole, wholeErr, int(piece)+1, parts, partsErr)
		}
		for _, frame := range whole {
			if frame[0] == resp.TypePush || frame[0] == resp.TypeAttribute {
				continue
			}
			got, rest, err := resp.Cut([]byte(frame))
			if err != nil || len(rest) > 0 || string(got) != frame {
				t.Fatalf("Cut(%q) = %q, %q, %v", frame, got, rest, err)
			}
			walk(t, []byte(frame))
		}
	})
}

// walk reads a frame token by token down to its last byte.
func walk(t *testing.T, b []byte) {
	pending := 1
	for pending > 0 {
		e, rest, err := resp.Next(b)
		if err != nil {
			t.Fatalf("Next(%q): %v", b, err)
		}
		pending += e.Count - 1
		if e.Type == resp.TypeMap {
			pending += e.Count
		}
		if len(rest) >= len(b) {
			t.Fatalf("Next(%q) did not advance", b)
		}
		b = rest
	}
	// Pushes and attributes behind the last element of an aggregate belong to it.
	if len(b) > 0 && b[0] != resp.TypePush && b[0] != resp.TypeAttribute {
		t.Fatalf("%q is left over", b)
	}
}

func FuzzNext(f *testing.F) {
	for _, s := range wellFormed {
		f.Add([]byte(s))
	}
	f.Add([]byte("|1\r\n|2147483647\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for rest := b; len(rest) > 0; {
			e, next, err := resp.Next(rest)
			if err != nil {
				break
			}
			if len(next) >= len(rest) || (e.Text != nil && !bytes.Contains(b, e.Text)) {
				t.Fatalf("Next(%q) = %+v, %q", rest, e, next)
			}
			rest = next
		}
		fr := resp.Frame(b)
		fr.Type()
		fr.IsNull()
		fr.ErrorText()
		fr.ErrorCode()
		fr.Integer()
		fr.Bytes()
	})
}
