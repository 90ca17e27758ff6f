package meta

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/resp"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

func TestMain(m *testing.M) { valkeytest.Main(m) }

// TestReplyAndTextAgree takes a real server's answer through the text form and back, and
// holds the answers of RESP2 and RESP3 against each other.
func TestReplyAndTextAgree(t *testing.T) {
	conn := valkeytest.SharedServer(t).Dial(t)
	defer conn.Close()
	rows, err := ParseReply(conn.Do(t, "COMMAND"))
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 300 {
		t.Fatalf("only %d commands", len(rows))
	}
	text := Format(rows)
	again, err := ParseText(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(text, "\n"), strings.Split(Format(again), "\n")); diff != "" {
		t.Errorf("the text form does not come back:\n%s", diff)
	}
	if reply := conn.Do(t, "HELLO", "2"); reply.IsError() {
		t.Fatal(reply.ErrorText())
	}
	old, err := ParseReply(conn.Do(t, "COMMAND"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(text, "\n"), strings.Split(Format(old), "\n")); diff != "" {
		t.Errorf("RESP3 and RESP2 differ:\n%s", diff)
	}
}

func TestParseReplyOfOldServer(t *testing.T) {
	rows, err := ParseReply(resp.Frame("*3\r\n" +
		"*6\r\n$4\r\nMSET\r\n:-3\r\n*1\r\n+write\r\n:1\r\n:-1\r\n:2\r\n" +
		"*7\r\n$6\r\nrename\r\n:3\r\n*0\r\n:1\r\n:2\r\n:1\r\n*2\r\n+@slow\r\n+@keyspace\r\n" +
		"*-1\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := "mset arity=-3 flags=write key=index(1)/range(-1,2,0)/\n" +
		"rename arity=3 acl=keyspace,slow key=index(1)/range(1,1,0)/\n"
	if got := Format(rows); got != want || !rows[0].Old {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestParseReplyErrors(t *testing.T) {
	for _, reply := range []string{
		"",
		"+OK\r\n",
		"-NOPERM no\r\n",
		":1\r\n",
		"*1\r\n",
		"*1\r\n:1\r\n",
		"*1\r\n*1\r\n$3\r\nget\r\n",
		"*1\r\n*6\r\n:1\r\n:2\r\n*0\r\n:1\r\n:1\r\n:1\r\n",
		"*1\r\n*6\r\n$3\r\nget\r\n$1\r\n2\r\n*0\r\n:1\r\n:1\r\n:1\r\n",
		"*1\r\n*6\r\n$3\r\nget\r\n:99999999999\r\n*0\r\n:1\r\n:1\r\n:1\r\n",
		"*1\r\n*6\r\n$0\r\n\r\n:2\r\n*0\r\n:1\r\n:1\r\n:1\r\n",
		"*1\r\n*6\r\n$10\r\nconfig set\r\n:2\r\n*0\r\n:1\r\n:1\r\n:1\r\n",
		"*1\r\n*6\r\n$5\r\na|b|c\r\n:2\r\n*0\r\n:1\r\n:1\r\n:1\r\n",
		"*0\r\n+OK\r\n",
		"*1\r\n*10\r\n$1\r\na\r\n:1\r\n*0\r\n:0\r\n:0\r\n:0\r\n*0\r\n*0\r\n*1\r\n*1\r\n$5\r\nflags\r\n*0\r\n",
	} {
		rows, err := ParseReply(resp.Frame(reply))
		var malformed *ReplyError
		if !errors.As(err, &malformed) {
			t.Errorf("%q: %v, error %v", reply, rows, err)
		}
	}
}

func TestParseTextErrors(t *testing.T) {
	for _, line := range []string{
		"get",
		"GET arity=2",
		"a|b|c arity=2",
		"get arity=x",
		"get arity=2 colour=red",
		"get arity=2 key=index(1)",
		"get arity=2 key=index(0)/range(0,1,0)/",
		"get arity=2 key=index(1)/range(0,0,0)/",
		"get arity=2 key=index(1)/range(0,1)/",
		"get arity=2 key=index(1)/range(0,1,x)/",
		"get arity=2 key=index 1/range(0,1,0)/",
		"get arity=2 key=keyword(STREAMS)/range(0,1,0)/",
		"get arity=2 key=keyword(STREAMS,0)/range(0,1,0)/",
		"get arity=2 key=nowhere()/range(0,1,0)/",
		"get arity=2 key=index(1)/nothing()/",
		"get arity=2 key=index(1)/keynum(1,1,1)/",
	} {
		_, err := ParseText("# comment\n\n" + line + "\n")
		var malformed *TextError
		if !errors.As(err, &malformed) || malformed.Line != 3 {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// FuzzParseReply: no bytes panic, and what is taken for a reply has a text form that says
// the same.
func FuzzParseReply(f *testing.F) {
	f.Add([]byte("*1\r\n*6\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n"))
	f.Add([]byte("*1\r\n*10\r\n$1\r\na\r\n:-2\r\n~0\r\n:0\r\n:0\r\n:0\r\n~0\r\n*0\r\n~0\r\n*1\r\n*6\r\n$1\r\nb\r\n:2\r\n*0\r\n:0\r\n:0\r\n:0\r\n"))
	f.Add([]byte("*1\r\n" + strings.Repeat("*1\r\n", 100)))
	f.Fuzz(func(t *testing.T, reply []byte) {
		rows, err := ParseReply(resp.Frame(reply))
		if err != nil {
			return
		}
		for i := range rows {
			// The text form has no place for words with separators, and for no arity.
			r := &rows[i]
			if r.Arity == 0 || strings.ContainsAny(strings.Join(append(append(r.Flags, r.Categories...), r.Tips...), ""), ", \t\r\n\v\f\u0085\u00a0") {
				return
			}
		}
		text := Format(rows)
		again, err := ParseText(text)
		if err != nil {
			if strings.ContainsFunc(text, func(r rune) bool { return r > 0x7e || (r < ' ' && r != '\n') }) {
				return
			}
			t.Fatalf("%q: %v", text, err)
		}
		if len(again) != len(rows) {
			t.Errorf("%d rows came back as %d", len(rows), len(again))
		}
	})
}
