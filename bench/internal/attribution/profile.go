package attribution

import (
	"fmt"
	"os"

	"github.com/google/pprof/profile"

	"github.com/valkeybatch/valkeybatch/bench/internal/result"
)

// Read reads a CPU profile and shares out among the categories the CPU time per command of
// the process that it was made of. Categories without samples are left out.
func (r *Rules) Read(file string, cpu float64) ([]result.Share, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r.shares(p, cpu), nil
}

func (r *Rules) shares(p *profile.Profile, cpu float64) []result.Share {
	counts, total := map[Category]int64{}, int64(0)
	for _, s := range p.Sample {
		n := s.Value[0] // of a CPU profile: how often the stack was seen; behind it, that as time
		counts[r.Of(stack(s))] += n
		total += n
	}
	var shares []result.Share
	for _, c := range All {
		if n := counts[c]; n > 0 {
			part := float64(n) / float64(total)
			shares = append(shares, result.Share{Category: string(c), Samples: n, Part: part, CPU: part * cpu})
		}
	}
	return shares
}

// stack returns the sample's functions, those that were inlined included, the innermost first.
func stack(s *profile.Sample) []string {
	var names []string
	for _, l := range s.Location {
		for _, line := range l.Line {
			if line.Function != nil {
				names = append(names, line.Function.Name)
			}
		}
	}
	return names
}
