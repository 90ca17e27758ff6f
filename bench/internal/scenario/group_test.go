package scenario

import "testing"

func TestEveryGroupHasBars(t *testing.T) {
	bars := map[Group]int{}
	for _, b := range Bars {
		bars[b.Group]++
		// The page says of these what they leave to the service.
		if b.Group == Large && (len(b.Over) != 1 || len(b.Under) != 1 || !ByName(b.Over[0].Scenario).Has("floor")) {
			t.Errorf("%s: is not against one other, or without the floor", b.What)
		}
	}
	delete(bars, "")
	for _, g := range Groups {
		if bars[g] == 0 {
			t.Errorf("no bar is of the group %s", g)
		}
		delete(bars, g)
	}
	if len(bars) > 0 {
		t.Errorf("groups that are not listed: %v", bars)
	}
}
