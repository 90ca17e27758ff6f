package acceptance

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// The databases are the batch's own business: the next batch begins in database 0 again,
// also when it comes from somebody else.
func TestAcceptance040_Select(t *testing.T) {
	matrix(t, "S", "AP", func(t *testing.T, e *env) {
		for range 3 { // the same connections again
			e.group(t, []row{
				{"SELECT 1", "OK"},
				{"SET @k one", "OK"},
				{"COPY @k @copy DB 2", "1"},
				{"COPY @k @copy DB 2", "0"},
				{"MOVE @k 3", "1"},
				{"MOVE @k 3", "0"},
				{"EXISTS @k", "0"},
				{"SELECT 2", "OK"},
				{"GET @copy", `"one"`},
				{"SELECT 100", "!ERR DB index is out of range"},
				{"GET @copy", `"one"`},
				{"SELECT 0", "OK"},
				{"EXISTS @k @copy", "0"},
				{"SELECT 3", "OK"},
				{"GETDEL @k", `"one"`},
				{"SELECT 2", "OK"},
				{"DEL @copy", "1"},
			})
			e.want(t, pipeline(cmd("SET", e.k("zero"), "0")), "OK")
			e.want(t, atomicBatch(cmd("GET", e.k("zero"))), `"0"`)
			if got := e.server.Text(t, "GETDEL", e.k("zero")); got != "0" {
				t.Fatalf("database 0 holds %q", got)
			}
		}
	})
}

// SCAN with every option, as binary commands and as text.
func TestAcceptance042_Scan(t *testing.T) {
	matrix(t, "S", "AP", func(t *testing.T, e *env) {
		const keys = 200
		var sets []*valkeybatchv1.Command
		want := map[string][]string{}
		for i := range keys {
			k := e.k("s:" + strconv.Itoa(i))
			sets = append(sets, cmd("SET", k, "v"))
			want["string"] = append(want["string"], k)
		}
		bin := e.k("b:\x00\xff")
		sets = append(sets, cmd("RPUSH", e.k("l:1"), "x"), cmd("SADD", bin, "x"))
		want["list"], want["set"] = []string{e.k("l:1")}, []string{bin}
		e.must(t, e.batch(sets...))

		for _, form := range []struct {
			name    string
			command func(...string) *valkeybatchv1.Command
		}{{"binary", cmd}, {"text", text}} {
			t.Run(form.name, func(t *testing.T) {
				for kind, want := range want {
					got := scanAll(t, e, form.command, "MATCH", e.k("*"), "COUNT", "50", "TYPE", kind)
					slices.Sort(want)
					if !slices.Equal(got, want) {
						t.Errorf("SCAN TYPE %s finds %d keys, want %d: %q", kind, len(got), len(want), got)
					}
				}
				if got := scanAll(t, e, form.command, "COUNT", "1000"); !slices.Contains(got, bin) || len(got) < keys+2 {
					t.Errorf("SCAN without a pattern finds %d keys, not all of this test's", len(got))
				}
				if got := scanAll(t, e, form.command, "MATCH", e.k("b:*")); !slices.Equal(got, []string{bin}) {
					t.Errorf("SCAN of a pattern finds %q", got)
				}
			})
		}
		e.want(t, e.batch(cmd("SCAN", "cursor"), cmd("SCAN", "0", "COUNT", "0")), "!ERR invalid cursor", "!ERR syntax error")
	})
}

// scanAll follows the cursor to its end and returns the keys, sorted, without those that
// SCAN gave twice.
func scanAll(t *testing.T, e *env, command func(...string) *valkeybatchv1.Command, options ...string) []string {
	t.Helper()
	var keys []string
	for cursor := "0"; ; {
		reply := e.must(t, e.batch(command(append([]string{"SCAN", cursor}, options...)...)))[0].GetArrayValue().GetElements()
		if len(reply) != 2 {
			t.Fatalf("SCAN = %s", renderAll(reply))
		}
		for _, k := range reply[1].GetArrayValue().GetElements() {
			keys = append(keys, textOf(k))
		}
		if cursor = textOf(reply[0]); cursor == "0" {
			slices.Sort(keys)
			return slices.Compact(keys)
		}
		if strings.Trim(cursor, "0123456789") != "" {
			t.Fatalf("the cursor is %q", cursor)
		}
	}
}

// textOf returns a string of either kind.
func textOf(v *valkeybatchv1.Value) string {
	if s, ok := v.GetKind().(*valkeybatchv1.Value_StringValue); ok {
		return s.StringValue
	}
	return string(v.GetBytesValue())
}
