package report

import (
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/bench/internal/result"
)

func TestProfilesAreShown(t *testing.T) {
	run := made()
	run.Profiles = []result.Profile{
		{
			Cell:    result.Cell{Scenario: "cluster/get-1000", Subject: "unary", ClientCPU: 0.5, ServiceCPU: 0.25},
			Client:  []result.Share{{Category: "protobuf", Samples: 30, Part: 0.75, CPU: 0.375}, {Category: "grpc", Samples: 10, Part: 0.25, CPU: 0.125}},
			Service: []result.Share{{Category: "grpc", Samples: 7, Part: 1, CPU: 0.25}},
		},
		{Cell: result.Cell{Scenario: "one/64-callers", Subject: "stream", Error: "it broke"}},
		{Cell: result.Cell{Scenario: "of an older benchmark", Subject: "unary"}},
	}
	want := `| us of CPU per command | client |      | service |       |
|-----------------------|-------:|-----:|--------:|------:|
| protobuf              |   0.38 | 75 % |         |       |
| gRPC                  |   0.12 | 25 % |    0.25 | 100 % |
| together              |   0.50 |      |    0.25 |       |
| samples               |     40 |      |       7 |       |
`
	page, err := markdown(run)
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"page": string(page), "printed text": Results(run)} {
		if strings.Count(text, want) != 1 || !strings.Contains(text, "8 callers: valkeybatch, unary\n") {
			t.Errorf("the %s lacks the profile", where)
		}
		if !strings.Contains(text, "it broke") {
			t.Errorf("the %s does not tell of the profile that failed", where)
		}
	}
	run.Profiles = nil
	if page, err = markdown(run); err != nil || strings.Contains(string(page), "here the time goes") || strings.Contains(string(page), "where-the-time-goes") {
		t.Errorf("the page tells of profiles that are not there: %v", err)
	}
}
