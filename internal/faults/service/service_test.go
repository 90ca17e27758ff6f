package service

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/faults/deploy"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
)

func TestSubjects(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d, err := deploy.Start(ctx, deploy.Config{Standalone: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, maker := range []subject.Maker{Unary, Streams} {
		t.Run(maker.Name, func(t *testing.T) {
			s, err := maker.Start(ctx, subject.Options{Seeds: d.Seeds()})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			key := maker.Name
			got, failure := s.Execute(ctx, subject.Batch{Timeout: time.Minute, RetryServer: true, Commands: [][]string{
				{"RPUSH", key, "a"}, {"SET", "k", "v"}, {"GET", "k"}, {"GET", "none"}, {"MGET", "k", "none"}, {"LPOP", "k"},
			}})
			want := []subject.Result{
				{Reply: int64(1)}, {Reply: "OK"}, {Reply: "v"}, {}, {Reply: []any{"v", nil}},
				{Err: &subject.Error{
					Code: "WRONGTYPE", Message: "WRONGTYPE Operation against a key holding the wrong kind of value",
					Node: d.Nodes()[0].Name, Outcome: subject.Failed,
				}},
			}
			if diff := cmp.Diff(want, got); diff != "" || failure != nil {
				t.Errorf("failure %v, results (-want +got):\n%s", failure, diff)
			}
			for name, c := range map[string]struct {
				batch subject.Batch
				want  subject.Failure
			}{
				"late":      {subject.Batch{Timeout: 50 * time.Millisecond, Commands: [][]string{{"BLPOP", "none", "0"}}}, subject.Failure{Outcome: subject.Unknown, Late: true}},
				"refused":   {subject.Batch{Timeout: time.Minute, Commands: [][]string{{"SHUTDOWN"}}}, subject.Failure{Outcome: subject.NotExecuted}},
				"discarded": {subject.Batch{Timeout: time.Minute, Atomic: true, Commands: [][]string{{"GET"}}}, subject.Failure{Outcome: subject.NotExecuted}},
			} {
				_, failure := s.Execute(ctx, c.batch)
				if failure == nil || failure.Outcome != c.want.Outcome || failure.Late != c.want.Late {
					t.Errorf("%s: %+v, want %+v", name, failure, c.want)
				}
			}
		})
	}
}
