package runner

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/valkeybatch/valkeybatch/bench/internal/attribution"
	"github.com/valkeybatch/valkeybatch/bench/internal/result"
	"github.com/valkeybatch/valkeybatch/bench/internal/scenario"
	"github.com/valkeybatch/valkeybatch/bench/internal/subject"
)

// profileTime is how long is profiled: of a process that has a core for half of the
// time that is a hundred samples.
const profileTime = 2 * time.Second

// profiles measures what is to be profiled once more. These measurements are not of the
// rounds, because a profile costs some of the CPU that it tells of.
func (r *runner) profiles(ctx context.Context) (profiles []result.Profile, err error) {
	dir := r.config.Profiles
	if dir == "" {
		if dir, err = os.MkdirTemp("", "valkeybatch-bench-"); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	for _, where := range r.config.Where {
		p, err := r.profile(ctx, where, dir)
		if err := ctx.Err(); err != nil {
			return profiles, err
		}
		if err != nil { // the rounds' figures are worth having all the same
			p = result.Profile{Cell: result.Cell{Scenario: where.Scenario.Name, Subject: where.Subject, Round: r.config.Rounds}}
			p.Error = "profiling: " + err.Error()
		}
		r.log("profile", &p.Cell)
		profiles = append(profiles, p)
	}
	return profiles, nil
}

func (r *runner) profile(ctx context.Context, where scenario.Profiled, dir string) (p result.Profile, err error) {
	who, err := subject.ByName(where.Subject)
	if err != nil {
		return p, err
	}
	d, err := r.prepare(ctx, where.Scenario)
	if err != nil {
		return p, err
	}
	t := task{where.Scenario, who, r.config.Rounds, profileTime, dir}
	p.Cell = r.cell(ctx, d, t)
	if p.Error != "" {
		return p, errors.New(p.Error)
	}
	if p.Client, err = attribution.Client.Read(t.profile("client"), p.ClientCPU); err != nil {
		return p, err
	}
	p.Service, err = attribution.Service.Read(t.profile("service"), p.ServiceCPU)
	return p, err
}
