package config

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version is the version by itself: the one set at link time, else the module's as the Go tool
// stamped it, else "devel".
func Version(linked string) string {
	if linked != "" {
		return linked
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// Build is what --version prints: the version, the commit, and the Go version that built it. The
// commit is the one that the Go tool stamped, with "-dirty" where the checkout had changes; where
// the tool saw no repository it is the one set at link time, and "unknown" where there is neither.
func Build(linked, linkedCommit string) string {
	commit, dirty := cmp.Or(linkedCommit, "unknown"), ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = "-dirty"
			}
		}
	}
	return fmt.Sprintf("%s (commit %s%s, %s)", Version(linked), commit, dirty, runtime.Version())
}
