package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// envPrefix begins the names of all environment variables of the program.
const envPrefix = "VALKEYBATCH_"

// linkName and linkPort are the variables that Kubernetes sets in every container for each
// Service of the namespace, here for one named valkeybatch or valkeybatch-something. The
// latter have an address as value, unless they are a port's part.
var (
	linkName = regexp.MustCompile(`^VALKEYBATCH(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)
	linkPort = regexp.MustCompile(`^(tcp|udp|sctp)://`)
)

// unknownEnvironment returns the names of the environment variables that look like the
// program's and mean nothing to it, sorted.
func unknownEnvironment(app *kong.Application, environ []string) []string {
	known := make(map[string]bool)
	for _, flag := range commandFlags(app) {
		for _, name := range flag.Tag.Envs {
			known[name] = true
		}
	}
	var unknown []string
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, envPrefix) && !known[name] && !serviceLink(name, value) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// serviceLink reports whether a variable is one that Kubernetes sets by itself.
func serviceLink(name, value string) bool {
	switch {
	case name == envPrefix+"PORT", strings.HasPrefix(name, envPrefix+"PORT_"), linkName.MatchString(name):
		return true
	default:
		return strings.HasSuffix(name, "_PORT") && linkPort.MatchString(value)
	}
}

// checkUnknownEnvironment refuses variables that are meant to lead to a Valkey and mean
// nothing, when no other setting names one: the in-memory store would silently take its place.
func (c *Config) checkUnknownEnvironment(unknown []string) error {
	if !c.Embedded() {
		return nil
	}
	for _, name := range unknown {
		if strings.HasPrefix(name, envPrefix+"VALKEY") {
			return wrong("valkey", "is not set, but the environment variable %s is, which means nothing: "+
				"the nodes of a Valkey are named by --valkey or VALKEYBATCH_VALKEY; --help lists all variables", name)
		}
	}
	return nil
}
