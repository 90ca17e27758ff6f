package command

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// Access is what one caller may do, within what the operator's [Policy] lets all of them do. It
// is safe for concurrent use. A nil *Access allows everything.
type Access struct {
	policy   *Policy
	closed   bool // what no entry fits is refused
	patterns []keyPattern
	limited  bool // to the patterns

	// decided holds what has been decided of commands, which is the same for all their calls. The
	// keys are entries of the command table as it was at the time.
	decided atomic.Pointer[map[*Info]decision]
}

// decision is what holds for every call of a command.
type decision struct {
	refusal *Refusal
	// listed is whether the allow list names the command itself.
	listed bool
}

// keyPattern is a pattern and what it allows of the keys that match it.
type keyPattern struct {
	glob string
	use  KeyUse
}

// Refusal says which rule of an Access refuses a command. It holds no arguments.
type Refusal struct {
	// Rule is the rule in a form for programs: "deny @dangerous", "allow" (no entry of the allow
	// list fits) or "keys".
	Rule string
	// Reason is a sentence for the caller.
	Reason string
}

// maxDecided bounds how many decisions are kept. A table has about 500 commands.
const maxDecided = 4096

// NewAccess makes an Access of two lists of entries, which are read as [NewPolicy] does, and of
// key patterns. Without an allow list, which is nil, what no entry denies is allowed; with one,
// though it be empty, what no entry fits is refused. The patterns are globs like Valkey's; "%R~"
// before one allows only to read such keys, "%W~" only to write them, and "%RW~" or "~", which may
// be left out, both. Without patterns, which are nil, any key is allowed; with them, though there
// be none, keys that match none are refused, and so are commands that may reach keys which they
// do not name, unless the allow list has them by name: "@read" means GET to its author, not KEYS.
// An error is a [*PolicyError].
func NewAccess(allow, deny, keys []string) (*Access, error) {
	policy, err := NewPolicy(allow, deny)
	if err != nil {
		return nil, err
	}
	a := &Access{policy: policy, closed: allow != nil, limited: keys != nil}
	for _, text := range keys {
		pattern, reason := parseKeyPattern(text)
		if reason != "" {
			return nil, &PolicyError{List: "keys", Entry: text, Reason: reason}
		}
		a.patterns = append(a.patterns, pattern)
	}
	return a, nil
}

func parseKeyPattern(text string) (p keyPattern, reason string) {
	p = keyPattern{glob: strings.TrimPrefix(text, "~"), use: ReadsKey | WritesKey}
	if rest, ok := strings.CutPrefix(text, "%"); ok {
		use, glob, ok := strings.Cut(rest, "~")
		if !ok {
			return p, "has no ~ between the permission and the pattern"
		}
		p.glob = glob
		switch strings.ToUpper(use) {
		case "R":
			p.use = ReadsKey
		case "W":
			p.use = WritesKey
		case "RW", "WR":
		default:
			return p, "has another permission than %R~, %W~ and %RW~"
		}
	}
	if p.glob == "" {
		return p, "is empty"
	}
	return p, ""
}

// Refuses returns why a call is refused, and nil if it is not.
func (a *Access) Refuses(c *Info, args [][]byte) *Refusal {
	if a == nil || c == nil {
		return nil
	}
	d := a.decisionOn(c)
	if d.refusal != nil || !a.limited {
		return d.refusal
	}
	if !d.listed && c.sortsByOthers(args) {
		return beyond(c)
	}
	var refusal *Refusal
	err := c.eachKey(args, func(at int, use KeyUse) bool {
		if at < len(args) && a.matches(args[at], use) {
			return true
		}
		refusal = &Refusal{Rule: "keys", Reason: fmt.Sprintf("the key that is argument %d of %s is not one that the caller may %s", at, c.Name, useName(use))}
		return false
	})
	if err != nil {
		// Not knowing what the server would take for a key.
		return &Refusal{Rule: "keys", Reason: fmt.Sprintf("the keys of this call of %s cannot be found: %v", c.Name, err)}
	}
	return refusal
}

func useName(use KeyUse) string {
	switch use {
	case ReadsKey:
		return "read"
	case WritesKey:
		return "write"
	case ReadsKey | WritesKey:
		return "read and write"
	default:
		return "use"
	}
}

func beyond(c *Info) *Refusal {
	return &Refusal{Rule: "keys", Reason: c.Name + " may reach keys that the call does not name, and the caller's keys are limited"}
}

func (a *Access) matches(key []byte, use KeyUse) bool {
	for i := range a.patterns {
		if p := &a.patterns[i]; p.use&use == use && globMatch(p.glob, key) {
			return true
		}
	}
	return false
}

func (a *Access) decisionOn(c *Info) decision {
	known := a.decided.Load()
	if known != nil {
		if d, ok := (*known)[c]; ok {
			return d
		}
	}
	d := a.decide(c)
	next := make(map[*Info]decision)
	if known != nil && len(*known) < maxDecided {
		for k, v := range *known {
			next[k] = v
		}
	}
	next[c] = d
	a.decided.CompareAndSwap(known, &next) // whoever is second decides again next time
	return d
}

// decide goes by the entries, the most specific first.
func (a *Access) decide(c *Info) decision {
	denied, entry, decided := a.policy.decide(c)
	switch {
	case decided && denied:
		return decision{refusal: &Refusal{Rule: "deny " + entry, Reason: fmt.Sprintf("%s is denied to the caller (%q)", c.Name, entry)}}
	case !decided && a.closed:
		return decision{refusal: &Refusal{Rule: "allow", Reason: c.Name + " is not among the commands that the caller is allowed"}}
	}
	listed := a.policy.allow.names[c.Name] || a.policy.allow.names[firstWord(c.Name)]
	if a.limited && !listed && c.reachesBeyond() {
		return decision{refusal: beyond(c)}
	}
	return decision{listed: listed}
}
