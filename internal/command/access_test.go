package command

import (
	"errors"
	"strings"
	"testing"
)

// list takes the words of a list apart; without words there is none, and "none" is one without entries.
func list(text string) []string {
	switch text {
	case "":
		return nil
	case "none":
		return []string{}
	}
	return strings.Fields(text)
}

// call takes a call's words apart.
func call(text string) [][]byte {
	var args [][]byte
	for _, word := range strings.Fields(text) {
		args = append(args, []byte(word))
	}
	return args
}

func TestAccess(t *testing.T) {
	orders := []string{"orders:*", "%R~shared:*", "%w~log:*"}
	for _, test := range []struct {
		allow, deny string
		keys        []string
		call        string
		rule        string // empty: allowed
	}{
		// Commands.
		{"", "", nil, "GET a", ""},
		{"@read", "", nil, "GET a", ""},
		{"@read", "", nil, "SET a b", "allow"},
		{"@read set", "", nil, "SET a b", ""},
		{"@read", "get", nil, "GET a", "deny get"},
		{"get", "@read", nil, "GET a", ""},
		{"", "@write", nil, "SET a b", "deny @write"},
		{"", "@write", nil, "GET a", ""},
		{"all", "@write", nil, "SET a b", "deny @write"},
		{"all", "", nil, "SET a b", ""},
		{"get", "all", nil, "SET a b", "deny all"},
		{"object", "object|freq", nil, "OBJECT FREQ a", "deny object freq"},
		{"object", "object|freq", nil, "OBJECT ENCODING a", ""},
		{"none", "", nil, "GET a", "allow"},
		{"none", "", nil, "PING", "allow"},
		{"", "none", nil, "GET a", ""},
		// Keys.
		{"", "", orders, "GET orders:1", ""},
		{"", "", orders, "GET others:1", "keys"},
		{"", "", orders, "GET shared:1", ""},
		{"", "", orders, "SET shared:1 x", "keys"},
		{"", "", orders, "GET log:1", "keys"},
		{"", "", orders, "SET log:1 x", ""},
		{"", "", orders, "SET log:1 x EX 5 get", "keys"},
		{"", "", orders, "SET orders:1 x GET", ""},
		{"", "", orders, "GETSET log:1 x", "keys"},
		{"", "", orders, "EXISTS log:1 shared:1 orders:1", ""},
		{"", "", orders, "EXISTS log:1 others:1", "keys"},
		{"", "", orders, "MSET orders:1 a orders:2 b", ""},
		{"", "", orders, "MSET orders:1 a shared:2 b", "keys"},
		{"", "", orders, "COPY shared:1 log:1", ""},
		{"", "", orders, "COPY log:1 shared:1", "keys"},
		{"", "", orders, "SORT shared:1 STORE log:1", ""},
		{"", "", orders, "SORT shared:1 STORE shared:2", "keys"},
		{"", "", orders, "SORT orders:1 BY others:*", "keys"},
		{"sort", "", orders, "SORT orders:1 BY others:*", ""},
		{"", "", orders, "SORT_RO orders:1 GET others:*", "keys"},
		{"", "", orders, "XREAD STREAMS shared:1 0", ""},
		{"", "", orders, "XREAD STREAMS shared:1 log:1 0 0", "keys"},
		{"", "", orders, "GEORADIUS shared:1 1 1 1 m STORE log:1", ""},
		{"", "", orders, "GEORADIUS shared:1 1 1 1 m STORE others:1", "keys"},
		{"", "", orders, "ZUNIONSTORE log:1 2 shared:1 shared:2", ""},
		{"", "", orders, "ZUNIONSTORE log:1 2 shared:1 others:2", "keys"},
		{"", "", orders, "ZUNIONSTORE log:1 x shared:1", "keys"},
		{"", "", orders, "GET", "keys"},
		{"", "", orders, "PING", ""},
		{"", "", orders, "SPUBLISH others:1 x", ""},
		{"", "", orders, "PUBLISH others:1 x", ""},
		// What reaches beyond the keys that it names.
		{"", "", orders, "KEYS *", "keys"},
		{"", "", orders, "SCAN 0", "keys"},
		{"all", "", orders, "FLUSHALL", "keys"},
		{"scan", "", orders, "SCAN 0", ""},
		{"@keyspace", "", orders, "RANDOMKEY", "keys"},
		{"@read @write", "", orders, "FLUSHALL", "keys"},
		{"@read @write", "", orders, "SORT orders:1 BY others:*", "keys"},
		{"slowlog", "", orders, "SLOWLOG GET", ""},
		{"", "", orders, "EVAL x 1 orders:1", "keys"},
		{"eval", "", orders, "EVAL x 1 orders:1", ""},
		{"@scripting", "", orders, "EVAL x 1 others:1", "keys"},
		{"", "", orders, "SLOWLOG GET", "keys"},
		{"@read", "", orders, "CLUSTERSCAN 0", "keys"},
		{"clusterscan", "", orders, "CLUSTERSCAN 0", ""},
		{"all", "", orders, "CLUSTER FLUSHSLOT 1", "keys"},
		{"cluster|flushslot", "", orders, "CLUSTER FLUSHSLOT 1", ""},
		{"", "", orders, "CLUSTER GETKEYSINSLOT 1 2", "keys"},
		{"cluster", "", orders, "CLUSTER GETKEYSINSLOT 1 2", ""},
		{"@write", "", orders, "FUNCTION LOAD x", "keys"},
		{"@write", "", orders, "FUNCTION DELETE x", "keys"},
		{"@write", "", orders, "FUNCTION FLUSH", "keys"},
		{"@write", "", orders, "FUNCTION RESTORE x", "keys"},
		{"function", "", orders, "FUNCTION LOAD x", ""},
		{"function|delete", "", orders, "FUNCTION DELETE x", ""},
		{"@scripting", "", orders, "SCRIPT LOAD x", "keys"},
		{"@scripting", "", orders, "SCRIPT FLUSH", "keys"},
		{"script", "", orders, "SCRIPT FLUSH", ""},
		{"all", "", orders, "CONFIG GET *", "keys"},
		{"config|get", "", orders, "CONFIG GET *", ""},
		{"all", "", orders, "ACL LIST", "keys"},
		{"all", "", orders, "ACL LOG", "keys"},
		{"all", "", orders, "CONFIG HELP", ""},
		{"all", "", orders, "CONFIG", ""},
		// No pattern at all: no keys.
		{"", "", []string{}, "GET a", "keys"},
		{"", "", []string{}, "PING", ""},
	} {
		a, err := NewAccess(list(test.allow), list(test.deny), test.keys)
		if err != nil {
			t.Fatal(err)
		}
		args := call(test.call)
		info, ok := Builtin().Lookup(args)
		if !ok {
			t.Fatalf("%s is not known", test.call)
		}
		for range 2 { // the second time it is decided already
			refusal := a.Refuses(info, args)
			if got := ruleOf(refusal); got != test.rule {
				t.Errorf("allow %q, deny %q, keys %q: %s: rule %q, want %q", test.allow, test.deny, test.keys, test.call, got, test.rule)
			}
			if refusal != nil && strings.Contains(refusal.Reason, ":1") {
				t.Errorf("%s: the reason %q holds an argument", test.call, refusal.Reason)
			}
		}
	}
	if (*Access)(nil).Refuses(nil, nil) != nil {
		t.Error("no access at all refuses")
	}
}

func ruleOf(r *Refusal) string {
	if r == nil {
		return ""
	}
	return r.Rule
}

func TestAccessBadEntries(t *testing.T) {
	for _, test := range []struct{ allow, deny, keys, list string }{
		{"nosuch", "", "", "allow"}, {"", "@nosuch", "", "deny"}, {"multi", "", "", "allow"},
		{"", "", "%R", "keys"}, {"", "", "%X~a", "keys"}, {"", "", "~", "keys"}, {"", "", "%RW~", "keys"},
	} {
		_, err := NewAccess(list(test.allow), list(test.deny), list(test.keys))
		var bad *PolicyError
		if !errors.As(err, &bad) || bad.List != test.list {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func BenchmarkAccess(b *testing.B) {
	a, err := NewAccess([]string{"@read", "@write"}, []string{"@dangerous"}, []string{"orders:*", "%R~shared:*"})
	if err != nil {
		b.Fatal(err)
	}
	args := call("GET shared:1")
	info, _ := Builtin().Lookup(args)
	b.ReportAllocs()
	for b.Loop() {
		if a.Refuses(info, args) != nil {
			b.Fatal("refused")
		}
	}
}
