package command

import "testing"

// TestFamilies: the family of a command is that of its data, and nearly none is of none.
func TestFamilies(t *testing.T) {
	for name, want := range map[string]Family{
		"get": FamilyString, "mset": FamilyString, "hset": FamilyHash, "blpop": FamilyList, "sadd": FamilySet, "zadd": FamilySortedSet,
		"xadd": FamilyStream, "xgroup create": FamilyStream, "setbit": FamilyBitmap, "pfadd": FamilyHyperLogLog, "geoadd": FamilyGeo,
		"publish": FamilyPubSub, "spublish": FamilyPubSub, "evalsha": FamilyScripting, "script load": FamilyScripting, "multi": FamilyTransaction,
		"del": FamilyKeyspace, "sort": FamilyKeyspace, "scan": FamilyKeyspace, "ping": FamilyConnection, "client info": FamilyConnection,
		"info": FamilyServer, "config set": FamilyServer, "command docs": FamilyServer, "json.get": FamilyJSON, "ft.search": FamilySearch, "bf.add": FamilyBloom,
	} {
		found := false
		for _, c := range Builtin().All() {
			if c.Name == name {
				found = true
				if got := c.Family(); got != want {
					t.Errorf("%s is of the family %v, want %v", name, got, want)
				}
			}
		}
		if !found {
			t.Errorf("no command %s", name)
		}
	}
	for _, c := range Builtin().All() {
		if c.Family() == FamilyOther {
			t.Errorf("%s (%v) is of no family", c.Name, c.Categories)
		}
	}
	if (*Info)(nil).Family() != FamilyOther || Family(Families).String() != "invalid" || FamilyOther.String() != "other" {
		t.Error("what is unknown has a family")
	}
}
