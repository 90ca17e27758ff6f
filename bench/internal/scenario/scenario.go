// Package scenario is what is measured: the scenarios, and the bars that their ratios are
// held to.
package scenario

import (
	"fmt"
	"slices"
	"time"

	"github.com/valkeybatch/valkeybatch/bench/internal/deploy"
	"github.com/valkeybatch/valkeybatch/bench/internal/workload"
)

// Scenario is one load on one deployment, put on by several subjects.
type Scenario struct {
	Name     string
	Deploy   deploy.Kind
	Spec     workload.Spec
	Callers  int
	Longer   float64 // how much longer than others it is measured; 0 is 1
	Often    int     // how often it is measured in every round, all subjects in turn; 0 is 1
	Subjects []string
	Smoke    bool // part of the smoke test
}

// Time is how long it is measured where others take d.
func (s *Scenario) Time(d time.Duration) time.Duration {
	if s.Longer == 0 {
		return d
	}
	return time.Duration(float64(d) * s.Longer)
}

// Title says what the scenario is.
func (s *Scenario) Title() string {
	where := s.Deploy.String()
	if s.Deploy != deploy.Standalone {
		where = "cluster, " + where
	}
	what := fmt.Sprintf("%s x %s %s", number(s.Spec.Batch), bytes(s.Spec.Size), commandTitles[s.Spec.Commands])
	if n := s.Spec.PerMGet; n > 0 {
		what += fmt.Sprintf(" of %s keys", number(n))
	}
	if s.Spec.Atomic {
		what += ", atomic"
	}
	callers := "1 caller"
	if s.Callers > 1 {
		callers = fmt.Sprintf("%d callers", s.Callers)
	}
	return where + ": " + what + ", " + callers
}

var commandTitles = map[string]string{
	"get": "GET", "set": "SET", "mix": "GET/SET/INCR/HSET", "mget": "MGET",
}

func number(n int) string {
	if n >= 1000 {
		return fmt.Sprintf("%s,%03d", number(n/1000), n%1000)
	}
	return fmt.Sprint(n)
}

func bytes(n int) string {
	switch {
	case n >= 1000 && n%1000 == 0:
		return fmt.Sprintf("%d KB", n/1000)
	case n >= 1024:
		return fmt.Sprintf("%d KiB", n>>10)
	default:
		return fmt.Sprintf("%d B", n)
	}
}

// Has says whether the subject takes part.
func (s *Scenario) Has(subject string) bool { return slices.Contains(s.Subjects, subject) }
