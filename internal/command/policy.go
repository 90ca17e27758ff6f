package command

import (
	"fmt"
	"slices"
	"strings"
)

// Policy is what the operator lets callers do: a list of what is allowed and one of what is
// denied, over the default, which denies what can stop, reconfigure, re-shard or empty the
// deployment or change others' access. It is immutable. A nil *Policy denies nothing.
type Policy struct {
	allow, deny rules
	// names and categoryBits are a quick test for commands that no entry can concern.
	names, categoryBits uint64
}

// rules are the entries of one list.
type rules struct {
	names      map[string]bool // of commands, containers and subcommands: "config set"
	categories []string
	all        bool
}

// PolicyError says that an entry of the allow or the deny list is none.
type PolicyError struct {
	// List is "allow" or "deny".
	List string
	// Entry is the entry as it was given.
	Entry string
	// Reason says what is wrong with it.
	Reason string
}

// Error implements error.
func (e *PolicyError) Error() string {
	return fmt.Sprintf("command policy, %s list: entry %q %s", e.List, e.Entry, e.Reason)
}

// NewPolicy makes a policy. An entry is a command or a container ("flushall", "config"), a
// subcommand ("config|set" or "config set"), an ACL category ("@dangerous") or "all" (also
// "@all"); case does not matter. Of the entries that fit a command the most specific one
// decides, in this order; between the lists, deny wins a tie. Where no entry fits, the
// default decides. The error is a *PolicyError naming the first bad entry: names are checked,
// so that a slip of the pen does not leave open what was to be closed; only names with a dot
// in them, as modules' commands have, may be unknown. Bad are also an entry that allows what
// is refused whatever the policy says (Info.Refused), and one that stands in both lists.
func NewPolicy(allow, deny []string) (*Policy, error) {
	p := &Policy{}
	for name := range defaultDenied {
		p.names |= nameBit(firstWord(name))
	}
	for _, list := range []struct {
		name    string
		entries []string
		rules   *rules
	}{{"allow", allow, &p.allow}, {"deny", deny, &p.deny}} {
		list.rules.names = make(map[string]bool)
		for _, entry := range list.entries {
			reason := p.add(list.rules, entry)
			if reason == "" && list.rules == &p.deny && p.allow.has(entry) {
				reason = "is in the allow list too: remove it from one of them"
			}
			if reason != "" {
				return nil, &PolicyError{List: list.name, Entry: entry, Reason: reason}
			}
		}
	}
	return p, nil
}

// entryWords are the words of an entry in the form that the lists hold: "config set".
func entryWords(entry string) []string {
	return strings.Fields(strings.ReplaceAll(strings.ToLower(entry), "|", " "))
}

// has reports whether the list has this very entry.
func (r *rules) has(entry string) bool {
	name := strings.Join(entryWords(entry), " ")
	if name == "all" || name == "@all" {
		return r.all
	}
	if category, ok := strings.CutPrefix(name, "@"); ok {
		return slices.Contains(r.categories, category)
	}
	return r.names[name]
}

// add takes an entry into a list. It returns what is wrong with the entry, or "".
func (p *Policy) add(r *rules, entry string) string {
	words := entryWords(entry)
	name := strings.Join(words, " ")
	switch {
	case name == "":
		return "is empty"
	case name == "all", name == "@all":
		r.all, p.names = true, ^uint64(0)
		return ""
	case strings.HasPrefix(name, "@"):
		bit := categoryBit(name[1:])
		if bit == 0 {
			return "is no ACL category"
		}
		p.categoryBits |= bit
		r.categories = append(r.categories, name[1:])
		return ""
	case len(words) > 2:
		return "has more than a command and a subcommand"
	case !known(name, words) && !strings.Contains(words[0], "."):
		return "is no command, subcommand, @category or \"all\""
	}
	if r == &p.allow && name != "client" { // of CLIENT only some subcommands are refused
		if reason := refusalOf(name); reason != "" {
			return "cannot be allowed: " + strings.Replace(reason, " is refused: ", " is always refused: ", 1)
		}
	}
	p.names |= nameBit(words[0])
	r.names[name] = true
	return ""
}

// known reports whether the name is one of the builtin table's.
func known(name string, words []string) bool {
	c, ok := Builtin().byName[words[0]]
	if !ok || len(words) == 1 {
		return ok
	}
	sub, ok := c.subs[words[1]]
	return ok && sub.Name == name
}

// Denied reports whether the policy denies the command, with the reason in a sentence for
// the caller. It looks at the command alone; what would break a shared connection is refused
// whatever the policy says (Info.Refused).
func (p *Policy) Denied(c *Info) (reason string, denied bool) {
	if p == nil || c == nil || (p.names&c.nameBit == 0 && p.categoryBits&c.categoryBits == 0) {
		return "", false
	}
	if denied, entry, decided := p.decide(c); decided {
		if !denied {
			return "", false
		}
		return fmt.Sprintf("%s is denied by the operator's policy (%q)", c.Name, entry), true
	}
	if defaultAllowed[c.Name] {
		return "", false
	}
	harm, ok := defaultDenied[c.Name]
	if !ok {
		if harm, ok = defaultDenied[firstWord(c.Name)]; !ok {
			return "", false
		}
	}
	return fmt.Sprintf("%s is denied unless the operator's policy allows it: it can %s", c.Name, harm), true
}

// decide goes through the operator's entries from the most specific to the least. It returns
// the entry that decided, if one did.
func (p *Policy) decide(c *Info) (denied bool, entry string, decided bool) {
	for name, level := c.Name, 0; level < 2; name, level = firstWord(c.Name), level+1 {
		if p.deny.names[name] {
			return true, name, true
		}
		if p.allow.names[name] {
			return false, name, true
		}
	}
	if category := p.deny.category(c); category != "" {
		return true, "@" + category, true
	}
	if p.allow.category(c) != "" {
		return false, "", true
	}
	if p.deny.all {
		return true, "all", true
	}
	return false, "", p.allow.all
}

// category returns the first category of the list that the command is in, or "".
func (r *rules) category(c *Info) string {
	for _, category := range r.categories {
		if c.categoryBits&categoryBit(category) != 0 {
			return category
		}
	}
	return ""
}
