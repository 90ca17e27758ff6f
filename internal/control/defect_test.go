package control

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestDefectWhileReading: a panic in the reading of one node's answer is that node's failure.
func TestDefectWhileReading(t *testing.T) {
	c := client(t, Config{Seeds: []string{"one:1", "two:2"}})
	var failures []string
	err := survey(within(t), c, []string{"one:1", "two:2"}, func() bool { return true },
		func(_ context.Context, p *peer) (string, error) {
			if p.addr == "one:1" {
				panic("at fault")
			}
			return "fine", nil
		},
		func(a answer[string]) (time.Duration, bool) {
			if a.err != nil {
				failures = append(failures, a.addr+" "+a.err.Error())
			} else if a.v != "fine" {
				t.Errorf("%+v", a)
			}
			return 0, false
		})
	if err != nil || len(failures) != 1 || !strings.HasPrefix(failures[0], "one:1 ") || !strings.Contains(failures[0], "at fault") {
		t.Errorf("%v, failures %q", err, failures)
	}
}
