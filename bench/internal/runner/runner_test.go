package runner

import (
	"slices"
	"strings"
	"testing"
)

func TestRotatedGivesEverybodyEveryPlace(t *testing.T) {
	list := []string{"a", "b", "c"}
	first := map[string]bool{}
	for n := range 6 {
		r := rotated(list, n)
		first[r[0]] = true
		if sorted := slices.Sorted(slices.Values(r)); !slices.Equal(sorted, list) {
			t.Errorf("rotated by %d: %v", n, r)
		}
	}
	if len(first) != 3 {
		t.Errorf("only %v came first", first)
	}
	if rotated([]string{}, 3) != nil {
		t.Error("something came of nothing")
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var tl tail
	for range 100 {
		_, _ = tl.Write([]byte(strings.Repeat("x", 50)))
	}
	_, _ = tl.Write([]byte("the end\n"))
	if s := tl.String(); len(s) > tailBytes || !strings.HasSuffix(s, "the end") {
		t.Errorf("%d bytes: %q", len(s), s)
	}
}
