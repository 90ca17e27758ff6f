package config

import (
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
// commit is the one that the Go tool stamped, "unknown" where it saw no repository, with
// "-dirty" where the checkout had changes.
func Build(linked string) string {
	commit, dirty := "unknown", ""
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
