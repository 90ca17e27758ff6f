package scenario

import (
	"testing"

	"github.com/valkeybatch/valkeybatch/bench/internal/subject"
)

func TestProfiledAreMeasuredAndCallTheService(t *testing.T) {
	seen := map[Profiled]bool{}
	for _, p := range AllProfiled {
		if p.Scenario == nil || !p.Scenario.Has(p.Subject) {
			t.Errorf("%s is not measured in %v", p.Subject, p.Scenario)
			continue
		}
		if seen[p] {
			t.Errorf("%s in %s is profiled twice", p.Subject, p.Scenario.Name)
		}
		seen[p] = true
		if who, err := subject.ByName(p.Subject); err != nil || who.Needs != subject.Service {
			t.Errorf("%s does not call the service: %v", p.Subject, err)
		}
	}
}
