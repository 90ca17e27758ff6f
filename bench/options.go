package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/valkeybatch/valkeybatch/bench/internal/scenario"
)

// options are the command line.
type options struct {
	only     *regexp.Regexp // names of scenarios
	subjects *regexp.Regexp
	skip     *regexp.Regexp // subjects; nil skips none
	rounds   int
	seconds  float64
	results  string // directory
	docs     string // directory
	service  string
	profiles string // directory; empty: none
	where    bool
	list     bool
	smoke    bool
	strict   bool
	report   bool
}

func parse(args []string) (*options, error) {
	o := &options{}
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.Usage = func() {
		fmt.Fprintln(set.Output(), "Measures the service beside its peers. A run of everything writes the page docs/performance.md;\na part of it (-run, -subjects, -skip) leaves that alone.")
		set.PrintDefaults()
	}
	pattern := func(to **regexp.Regexp, name, help string) {
		set.Func(name, help, func(text string) (err error) {
			*to, err = regexp.Compile(text)
			return err
		})
	}
	o.only, o.subjects = regexp.MustCompile(""), regexp.MustCompile("")
	pattern(&o.only, "run", "only scenarios whose name matches the `REGEX`")
	pattern(&o.subjects, "subjects", "only subjects whose name matches the `REGEX`")
	pattern(&o.skip, "skip", "no subjects whose name matches the `REGEX`")
	set.IntVar(&o.rounds, "rounds", 5, "how often everything is measured")
	set.Float64Var(&o.seconds, "seconds", 0.8, "how long each measurement takes, after its warm-up")
	set.StringVar(&o.results, "results", "results", "`directory` for latest.json and latest.md, or partial.json and partial.md")
	set.StringVar(&o.docs, "docs", "../docs", "`directory` for performance.md and its pictures")
	set.StringVar(&o.service, "service", "", "the service's `program` (default: bench-service beside this one)")
	set.StringVar(&o.profiles, "profiles", "", "`directory` for CPU profiles of client and service of every measurement, which cost some of their CPU themselves")
	set.BoolVar(&o.where, "where", false, "tell for a part of it too where the time goes, which a run of everything does; keeps the profiles in the directory of -profiles if there is one")
	set.BoolVar(&o.list, "list", false, "list scenarios and subjects, and measure nothing")
	set.BoolVar(&o.smoke, "smoke", false, "try every subject for a moment, write nothing, and fail if one fails")
	set.BoolVar(&o.strict, "strict", false, "fail if a bar is missed or a measurement fails")
	set.BoolVar(&o.report, "report", false, "write the page anew from latest.json, and measure nothing")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if o.rounds < 1 || o.seconds <= 0 || set.NArg() > 0 {
		set.Usage()
		return nil, fmt.Errorf("wrong usage")
	}
	if o.service == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		o.service = filepath.Join(filepath.Dir(self), "bench-service")
	}
	return o, nil
}

// wants says whether the subject is to be measured.
func (o *options) wants(subject string) bool {
	return o.subjects.MatchString(subject) && (o.skip == nil || !o.skip.MatchString(subject))
}

// scenarios are those that are to be measured.
func (o *options) scenarios() []*scenario.Scenario {
	var wanted []*scenario.Scenario
	for _, s := range scenario.All {
		if o.only.MatchString(s.Name) && (s.Smoke || !o.smoke) {
			wanted = append(wanted, s)
		}
	}
	return wanted
}

// profiled are what is profiled after the rounds.
func (o *options) profiled() []scenario.Profiled {
	if o.smoke || !o.where && !o.whole() {
		return nil
	}
	var wanted []scenario.Profiled
	for _, p := range scenario.AllProfiled {
		if o.only.MatchString(p.Scenario.Name) && o.wants(p.Subject) {
			wanted = append(wanted, p)
		}
	}
	return wanted
}

// whole says that nothing is left out, and nothing added that costs.
func (o *options) whole() bool {
	return o.profiles == "" && o.only.String() == "" && o.subjects.String() == "" && o.skip == nil
}

// warmUp is how long every client works before it is measured.
func (o *options) warmUp() time.Duration {
	if o.smoke {
		return smokeTime
	}
	return 300 * time.Millisecond
}

// smokeTime is how long the smoke test measures.
const smokeTime = 100 * time.Millisecond
