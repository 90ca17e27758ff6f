package command

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// TestGlobAsTheServer compares globMatch with KEYS on patterns and keys of few letters.
func TestGlobAsTheServer(t *testing.T) {
	conn := valkeytest.StartServer(t).Dial(t)
	defer conn.Close()
	random := rand.New(rand.NewPCG(1, 2))
	word := func(letters string, most int) string {
		out := make([]byte, 1+random.IntN(most))
		for i := range out {
			out[i] = letters[random.IntN(len(letters))]
		}
		return string(out)
	}
	keys := make(map[string]bool)
	set := []string{"MSET"}
	for range 400 {
		key := word(`ab-]^\[*?c`, 5)
		if !keys[key] {
			keys[key] = true
			set = append(set, key, "x")
		}
	}
	conn.Do(t, set...)
	for range 3000 {
		pattern := word(`aab-]^\[**?c`, 7)
		got, failure := texts(t, conn.Do(t, "KEYS", pattern))
		if failure != "" {
			t.Fatal(failure)
		}
		for key := range keys {
			if want := slices.Contains(got, key); globMatch(pattern, []byte(key)) != want {
				t.Fatalf("pattern %q, key %q: %v, the server says %v", pattern, key, !want, want)
			}
		}
	}
}

// TestAccessAsTheServer compares what key patterns allow with what a user of the same patterns
// may do: never more, and no less but where a call's use of its key depends on its options.
func TestAccessAsTheServer(t *testing.T) {
	conn := valkeytest.StartServer(t).Dial(t)
	defer conn.Close()
	stricter := map[string]bool{
		"bitfield": true, // all GET
		"sort":     true, // BY and GET
		"sort_ro":  true,
	}
	patterns := [][]string{{"*"}, {"%R~*"}, {"%W~*"}, {"k*"}, {"%R~[ak]*", "%W~dst*"},
		{"%W~[ak]*", "%R~dst*"}, {"%R~*1", "%W~*2"}, {"%W~*1", "%R~*2"}, {"other"}}
	rows := serverRows(t)
	table := Builtin().With(infosOf(rows))
	checked := 0
	for i, keys := range patterns {
		a, err := NewAccess(nil, nil, keys)
		if err != nil {
			t.Fatal(err)
		}
		user := fmt.Sprint("u", i)
		rules := []string{"ACL", "SETUSER", user, "reset", "+@all", "allchannels"}
		for _, k := range keys {
			if k[0] != '%' {
				k = "~" + k
			}
			rules = append(rules, k)
		}
		conn.Do(t, rules...)
		for j := range rows {
			c := lookup(t, table, strings.Replace(rows[j].Name, "|", " ", 1))
			args, ok := sampleOf(&rows[j])
			if !ok || c.reachesBeyond() || c.refusal != "" || len(c.specs) == 0 {
				continue
			}
			dry := []string{"ACL", "DRYRUN", user}
			for _, arg := range args {
				dry = append(dry, string(arg))
			}
			reply := conn.Do(t, dry...)
			if reply.IsError() {
				continue // the server does not know the call
			}
			checked++
			allowed := string(reply) == "+OK\r\n"
			refusal := a.Refuses(c, args)
			if allowed != (refusal == nil) && !(allowed && stricter[c.Name]) {
				t.Errorf("%q with %q: refusal %+v, the server says %q", args, keys, refusal, reply)
			}
		}
	}
	if checked < 500 {
		t.Errorf("%d calls were checked", checked)
	}
}
