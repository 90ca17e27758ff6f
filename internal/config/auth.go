package config

import (
	"slices"
	"strings"
)

// Auth is who callers are and what each may do.
type Auth struct {
	// File is the YAML file of identities: their tokens and certificates, and what each may do. It
	// is read anew as it changes. Without it callers are not told apart.
	File string `name:"auth-file" env:"VALKEYBATCH_AUTH_FILE" placeholder:"FILE" help:"YAML file of callers: their tokens or certificates, and the commands, keys and limits of each. Read again when it changes. Without it callers are not told apart." group:"Callers"`
	// Open are the services that anyone may call, with File: health, reflection, or none.
	Open []string `name:"auth-open" env:"VALKEYBATCH_AUTH_OPEN" default:"health" placeholder:"WORD" help:"With auth-file, the services that callers need no identity for: health, reflection, none." group:"Callers"`
	// MaxBatchesPerSecond is how many batches are begun in a second, over all callers; so many may
	// be begun at once. 0: any number. 0 to 10,000,000.
	MaxBatchesPerSecond int `name:"max-batches-per-second" env:"VALKEYBATCH_MAX_BATCHES_PER_SECOND" default:"0" min:"0" max:"10000000" placeholder:"N" help:"Most batches begun in a second, over all callers; more are refused. 0: any number." group:"Limits"`
}

// The words of [Auth.Open].
const (
	OpenHealth     = "health"
	OpenReflection = "reflection"
	openNone       = "none"
)

// IsOpen reports whether anyone may call a service, by its word.
func (a *Auth) IsOpen(word string) bool { return a.File == "" || slices.Contains(a.Open, word) }

func (a *Auth) check() error {
	words := []string{OpenHealth, OpenReflection, openNone}
	for _, word := range a.Open {
		if !slices.Contains(words, word) {
			return wrong("auth-open", "%q is none of %s", word, strings.Join(words, ", "))
		}
	}
	if len(a.Open) > 1 && slices.Contains(a.Open, openNone) {
		return wrong("auth-open", "none stands beside others: %s", strings.Join(a.Open, ", "))
	}
	return nil
}
