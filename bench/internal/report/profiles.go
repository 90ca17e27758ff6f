package report

import (
	"fmt"
	"slices"

	"github.com/valkeybatch/valkeybatch/bench/internal/attribution"
	"github.com/valkeybatch/valkeybatch/bench/internal/chart"
	"github.com/valkeybatch/valkeybatch/bench/internal/result"
	"github.com/valkeybatch/valkeybatch/bench/internal/scenario"
	"github.com/valkeybatch/valkeybatch/bench/internal/subject"
)

// Profiles are the tables that say where the time goes.
func Profiles(run *result.Run) []Group {
	var groups []Group
	for i := range run.Profiles {
		p := &run.Profiles[i]
		s := scenario.ByName(p.Scenario)
		who, err := subject.ByName(p.Subject)
		if p.Error != "" || s == nil || err != nil {
			continue // it failed, or the results are those of an older benchmark
		}
		groups = append(groups, Group{s.Title() + ": " + who.Title, s.Name + ", " + p.Subject, profileTable(p)})
	}
	return groups
}

func profileTable(p *result.Profile) string {
	var t table
	t.add("us of CPU per command", "client", "", "service", "")
	for _, c := range attribution.All {
		client, inClient := share(p.Client, c)
		service, inService := share(p.Service, c)
		if inClient || inService {
			t.add(c.Title(), slices.Concat(shareCells(client), shareCells(service))...)
		}
	}
	t.add("together", chart.Number(p.ClientCPU), "", chart.Number(p.ServiceCPU), "")
	t.add("samples", samples(p.Client), "", samples(p.Service), "")
	return t.String()
}

func share(shares []result.Share, c attribution.Category) (result.Share, bool) {
	i := slices.IndexFunc(shares, func(s result.Share) bool { return s.Category == string(c) })
	if i < 0 {
		return result.Share{}, false
	}
	return shares[i], true
}

// shareCells are nothing where no sample was seen, which does not say that nothing was used.
func shareCells(s result.Share) []string {
	if s.Samples == 0 {
		return []string{"", ""}
	}
	return []string{chart.Number(s.CPU), fmt.Sprintf("%.0f %%", 100*s.Part)}
}

func samples(shares []result.Share) string {
	var n int64
	for _, s := range shares {
		n += s.Samples
	}
	return fmt.Sprint(n)
}
