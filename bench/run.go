package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/valkeybatch/valkeybatch/bench/internal/report"
	"github.com/valkeybatch/valkeybatch/bench/internal/result"
	"github.com/valkeybatch/valkeybatch/bench/internal/runner"
)

// run does what the options ask for.
func (o *options) run(ctx context.Context) error {
	switch {
	case o.list:
		o.printList()
		return nil
	case o.report:
		run, err := result.Read(filepath.Join(o.results, "latest.json"))
		if err != nil {
			return err
		}
		return report.Page(run, o.docs)
	}
	run, err := o.measure(ctx)
	if err != nil {
		return err
	}
	if o.smoke {
		return failures(run)
	}
	if err := o.write(run); err != nil {
		return err
	}
	if o.strict {
		return errors.Join(failures(run), missed(run))
	}
	return nil
}

func (o *options) printList() {
	for _, s := range o.scenarios() {
		fmt.Printf("%-24s %s\n", s.Name, s.Title())
		for _, name := range s.Subjects {
			if o.wants(name) {
				fmt.Printf("%-24s   %s\n", "", name)
			}
		}
	}
}

// measure runs what is wanted, and tells of every measurement as it is made.
func (o *options) measure(ctx context.Context) (*result.Run, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	run := &result.Run{
		Machine: result.ThisMachine(), Versions: result.TheseVersions(),
		Began: time.Now().UTC().Truncate(time.Second), Rounds: o.rounds, Seconds: o.seconds, Whole: o.whole(),
	}
	if o.smoke {
		run.Rounds, run.Seconds = 1, smokeTime.Seconds()
	}
	config := runner.Config{
		Self: self, Service: o.service, Scenarios: o.scenarios(), Subjects: o.wants,
		Rounds: run.Rounds, WarmUp: o.warmUp(), Time: time.Duration(run.Seconds * float64(time.Second)), Log: os.Stdout,
		Where: o.profiled(),
	}
	if o.profiles != "" {
		if config.Profiles, err = filepath.Abs(o.profiles); err != nil {
			return nil, err
		}
		if err := os.MkdirAll(config.Profiles, 0o755); err != nil {
			return nil, err
		}
	}
	begin := time.Now()
	run.Cells, run.Profiles, err = runner.Run(ctx, config)
	run.Took = time.Since(begin)
	if err == nil && len(run.Cells) == 0 {
		err = errors.New("nothing to measure: -list lists scenarios and subjects")
	}
	return run, err
}

// write prints the results and writes them to files: those of a whole run as the latest, and
// the page from them.
func (o *options) write(run *result.Run) error {
	name := "partial"
	if run.Whole {
		name = "latest"
	}
	text := report.Results(run)
	fmt.Printf("\n%s\n", text)
	if err := os.MkdirAll(o.results, 0o755); err != nil {
		return err
	}
	if err := run.Write(filepath.Join(o.results, name+".json")); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.results, name+".md"), []byte(text), 0o644); err != nil {
		return err
	}
	if !run.Whole {
		return nil
	}
	return report.Page(run, o.docs)
}

// failures is an error when measurements failed.
func failures(run *result.Run) error {
	var errs []error
	for _, c := range run.Failed() {
		errs = append(errs, fmt.Errorf("%s in %s failed: %s", c.Subject, c.Scenario, c.Error))
	}
	return errors.Join(errs...)
}

// missed is an error when bars are.
func missed(run *result.Run) error {
	var errs []error
	for _, o := range report.Outcomes(run) {
		if o.Measured && !o.Met {
			errs = append(errs, fmt.Errorf("missed: %s", o.What))
		}
	}
	return errors.Join(errs...)
}
