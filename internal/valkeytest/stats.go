package valkeytest

import (
	"strconv"
	"strings"
	"testing"
)

// ResetStats sets the node's counters back to zero (CONFIG RESETSTAT).
func ResetStats(t testing.TB, node *Server) {
	t.Helper()
	node.MustDo(t, "CONFIG", "RESETSTAT")
}

// ConfigResetStat sets every running node's counters back to zero.
func (c *Cluster) ConfigResetStat(t testing.TB) {
	t.Helper()
	for _, s := range c.nodes {
		if s.Running() {
			ResetStats(t, s)
		}
	}
}

// CommandStats returns how often the node ran the command since it started or its counters
// were reset: "get", or "config|get" for a subcommand. Calls that were refused before they
// ran (wrong arity, no permission, a redirect) do not count.
func (s *Server) CommandStats(t testing.TB, command string) int {
	t.Helper()
	return infoNumber(t, s, "commandstats", "cmdstat_"+strings.ToLower(command), "calls")
}

// ErrorStats returns how often the node answered with an error of the given prefix
// ("WRONGTYPE", "MOVED") since it started or its counters were reset.
func (s *Server) ErrorStats(t testing.TB, prefix string) int {
	t.Helper()
	return infoNumber(t, s, "errorstats", "errorstat_"+prefix, "count")
}

// CommandStats is [Server.CommandStats] of one node.
func (c *Cluster) CommandStats(t testing.TB, node *Server, command string) int {
	t.Helper()
	return node.CommandStats(t, command)
}

// ErrorStats is [Server.ErrorStats] of one node.
func (c *Cluster) ErrorStats(t testing.TB, node *Server, prefix string) int {
	t.Helper()
	return node.ErrorStats(t, prefix)
}

// Info returns one field of INFO, "" when it has none of that name.
func (s *Server) Info(t testing.TB, section, field string) string {
	t.Helper()
	for line := range strings.Lines(s.Text(t, "INFO", section)) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); name == field {
			return value
		}
	}
	return ""
}

// infoNumber reads one number of a field of the form "calls=1,usec=2".
func infoNumber(t testing.TB, s *Server, section, field, name string) int {
	t.Helper()
	for part := range strings.SplitSeq(s.Info(t, section, field), ",") {
		if value, ok := strings.CutPrefix(part, name+"="); ok {
			n, err := strconv.Atoi(value)
			if err != nil {
				t.Fatalf("valkeytest: INFO %s of %s: %v", section, s.Addr(), err)
			}
			return n
		}
	}
	return 0
}
