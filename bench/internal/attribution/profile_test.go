package attribution

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/valkeybatch/valkeybatch/bench/internal/result"
)

// sample is a stack of locations, each of which holds the functions inlined there and the one
// that they were inlined into.
type sample struct {
	count     int64
	locations [][]string
}

// write makes a CPU profile of the samples, as the runtime would.
func write(t *testing.T, samples []sample) string {
	t.Helper()
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 10_000_000,
	}
	for _, s := range samples {
		made := &profile.Sample{Value: []int64{s.count, s.count * p.Period}}
		for _, names := range s.locations {
			l := &profile.Location{ID: uint64(len(p.Location) + 1)}
			for _, name := range names {
				f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name}
				p.Function = append(p.Function, f)
				l.Line = append(l.Line, profile.Line{Function: f})
			}
			p.Location = append(p.Location, l)
			made.Location = append(made.Location, l)
		}
		p.Sample = append(p.Sample, made)
	}
	file := filepath.Join(t.TempDir(), "cpu.pprof")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := p.Write(f); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCPUIsSharedOutByTheSamples(t *testing.T) {
	const (
		pb   = "google.golang.org/protobuf/proto.Unmarshal"
		grpc = "google.golang.org/grpc.(*ClientConn).Invoke"
	)
	file := write(t, []sample{
		{6, [][]string{{pb}, {grpc}}},
		{1, [][]string{{"runtime.mallocgc"}, {"slices.Grow", pb, grpc}}}, // inlined in each other
		{1, [][]string{{grpc}}},
		{2, [][]string{{"runtime.findRunnable"}, {"runtime.mcall"}}},
		{2, [][]string{{"runtime.schedule"}, {"runtime.mcall"}}},
		{4, [][]string{{"syscall.write"}, {grpc}}},
	})
	got, err := Client.Read(file, 8)
	if err != nil {
		t.Fatal(err)
	}
	want := []result.Share{
		{Category: "kernel-calls", Samples: 4, Part: 0.25, CPU: 2},
		{Category: "protobuf", Samples: 7, Part: 0.4375, CPU: 3.5},
		{Category: "grpc", Samples: 1, Part: 0.0625, CPU: 0.5},
		{Category: "runtime", Samples: 4, Part: 0.25, CPU: 2},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestProfilesWithoutSamplesHaveNoShares(t *testing.T) {
	if got, err := Service.Read(write(t, nil), 1); err != nil || len(got) > 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestFilesThatAreNoProfilesAreErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "empty")
	if _, err := Service.Read(file, 1); err == nil {
		t.Error("read a file that is not there")
	}
	if err := os.WriteFile(file, []byte("no profile"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Service.Read(file, 1); err == nil {
		t.Error("read what is no profile")
	}
}
