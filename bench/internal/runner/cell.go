package runner

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/valkeybatch/valkeybatch/bench/internal/client"
	"github.com/valkeybatch/valkeybatch/bench/internal/deploy"
	"github.com/valkeybatch/valkeybatch/bench/internal/result"
	"github.com/valkeybatch/valkeybatch/bench/internal/scenario"
	"github.com/valkeybatch/valkeybatch/bench/internal/subject"
)

// cellTimeout bounds one measurement with everything around it.
const cellTimeout = 90 * time.Second

// task is one measurement to be made.
type task struct {
	scenario *scenario.Scenario
	subject  *subject.Subject
	round    int
	time     time.Duration
	profiles string // directory for CPU profiles; empty: none
}

// cell measures one subject in one scenario once. Client and service are new processes, so
// that nothing of one measurement reaches into the next, and peaks of memory are its own.
func (r *runner) cell(ctx context.Context, d *deploy.Deployment, t task) result.Cell {
	ctx, cancel := context.WithTimeout(ctx, cellTimeout)
	defer cancel()
	c := result.Cell{Scenario: t.scenario.Name, Subject: t.subject.Name, Round: t.round}
	if err := r.measure(ctx, d, t, &c); err != nil {
		c = result.Cell{Scenario: c.Scenario, Subject: c.Subject, Round: c.Round, Error: err.Error()}
	}
	return c
}

func (r *runner) measure(ctx context.Context, d *deploy.Deployment, t task, c *result.Cell) error {
	target := subject.Target{Cluster: d.Kind != deploy.Standalone, Nodes: d.Nodes()}
	behind, err := r.startBackend(ctx, t.subject, &target)
	if err != nil {
		return fmt.Errorf("starting what %s needs: %w", t.subject.Name, err)
	}
	defer behind.end()
	caller, err := start(ctx, r.config.Self, ClientCommand)
	if err != nil {
		return err
	}
	defer caller.end()
	err = caller.send(client.Order{
		Subject: t.subject.Name, Target: target, Spec: t.scenario.Spec, Callers: t.scenario.Callers,
		WarmUp: r.config.WarmUp, Time: t.time, Profile: t.profile("client"),
	})
	if err != nil {
		return err
	}
	if _, err := answer(caller); err != nil {
		return err
	}
	serviceBefore, err := behind.sample(t.profile("service"))
	if err != nil {
		return err
	}
	serversBefore, err := d.CPU()
	if err != nil {
		return err
	}
	if err := caller.send("go"); err != nil {
		return err
	}
	got, err := answer(caller)
	if err != nil {
		return err
	}
	serversAfter, err := d.CPU()
	if err != nil {
		return err
	}
	serviceAfter, err := behind.sample("")
	if err != nil {
		return err
	}

	perCommand := func(d time.Duration) float64 { return microseconds(d) / float64(got.Commands) }
	count := func(n uint64) float64 { return float64(n) / float64(got.Commands) }
	c.Batches, c.Commands, c.Seconds = got.Batches, got.Commands, got.Time.Seconds()
	c.P50, c.P99, c.P999 = microseconds(got.P50), microseconds(got.P99), microseconds(got.P999)
	c.ClientCPU = perCommand(got.CPU)
	c.ServiceCPU = perCommand(serviceAfter.CPU - serviceBefore.CPU)
	c.ServersCPU = perCommand(serversAfter - serversBefore)
	c.ClientAllocs, c.ClientBytes = count(got.Mallocs), count(got.Bytes)
	c.ServiceAllocs = count(serviceAfter.Mallocs - serviceBefore.Mallocs)
	c.ServiceBytes = count(serviceAfter.Bytes - serviceBefore.Bytes)
	c.ClientPeak, c.ServicePeak = float64(got.Peak), float64(serviceAfter.Peak)
	return nil
}

// profile is the file for a CPU profile of one of the processes; empty: none is wanted.
func (t task) profile(process string) string {
	if t.profiles == "" {
		return ""
	}
	name := fmt.Sprintf("%s.%s.%s.%d.pprof", strings.ReplaceAll(t.scenario.Name, "/", "-"), t.subject.Name, process, t.round+1)
	return filepath.Join(t.profiles, name)
}

// answer reads what the client says, or why it failed.
func answer(caller *process) (client.Result, error) {
	var a client.Answer
	err := caller.receive(&a)
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	return a.Result, err
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func (r *runner) startBackend(ctx context.Context, who *subject.Subject, target *subject.Target) (backend, error) {
	switch who.Needs {
	case subject.Service:
		return startService(ctx, r.config.Service, who.Observed, target)
	case subject.Webdis:
		return startWebdis(ctx, target)
	default:
		return none{}, nil
	}
}
