package command

import (
	"maps"
	"slices"
	"strings"
)

// Table finds commands by their names. It is immutable and safe for concurrent use.
type Table struct {
	byName map[string]*Info
}

// Lookup finds the command, or subcommand, that the words of a call name, in any case. A
// container with a subcommand that is not in the table is the container's Info. It does not
// allocate.
func (t *Table) Lookup(args [][]byte) (*Info, bool) {
	if len(args) == 0 {
		return nil, false
	}
	var buf [longestWord]byte
	n, ok := lower(&buf, args[0])
	if !ok {
		return nil, false
	}
	c, ok := t.byName[string(buf[:n])]
	if !ok {
		return nil, false
	}
	if len(c.subs) == 0 || len(args) < 2 {
		return c, true
	}
	if n, ok = lower(&buf, args[1]); ok {
		if sub, ok := c.subs[string(buf[:n])]; ok {
			return sub, true
		}
	}
	return c, true
}

// All returns every command, containers before their subcommands, sorted by name.
func (t *Table) All() []*Info {
	var all []*Info
	for _, c := range t.byName {
		all = append(all, c)
		all = slices.AppendSeq(all, maps.Values(c.subs))
	}
	slices.SortFunc(all, func(a, b *Info) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// With returns a table with what a server says put over what the table says. Commands that
// the server does not name stay. So do this package's own rules, which go by the name and
// are part of every Info; and the whole of what the table knows of a command if the server
// is one before 7.0, whose answers lack key specifications and policies.
func (t *Table) With(infos []*Info) *Table {
	out := &Table{byName: maps.Clone(t.byName)}
	if out.byName == nil {
		out.byName = make(map[string]*Info, len(infos))
	}
	fresh := make(map[string]bool) // containers that are this call's own copies
	for _, c := range infos {
		if c == nil || c.Name == "" {
			continue
		}
		name, sub, isSub := strings.Cut(c.Name, " ")
		was := out.byName[name]
		if !isSub {
			if was == nil || !c.old {
				own := *c
				own.subs = nil
				if was != nil {
					own.subs = was.subs
				}
				out.byName[name] = &own
			}
			continue
		}
		if was == nil {
			was = &Info{Name: name, Arity: -2, nameBit: nameBit(name), refusal: refusalOf(name)}
		}
		if !fresh[name] {
			own := *was
			own.subs = maps.Clone(was.subs)
			if own.subs == nil {
				own.subs = make(map[string]*Info)
			}
			was, fresh[name] = &own, true
			out.byName[name] = was
		}
		if known := was.subs[sub]; known == nil || !c.old {
			was.subs[sub] = c
		}
	}
	return out
}
