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

// Lookup finds the command, or subcommand, that the words of a call name, in any case (of
// ASCII letters; all bytes of a word count). A container, which is a command that has
// subcommands, is found by its name alone; with a second word that is none of them nothing is
// found, as on the server, because what holds for the container need not hold for whatever
// the word may mean to a server. What is not found must not be sent: Unknown tells what may be
// asked about it. Lookup does not allocate.
func (t *Table) Lookup(args [][]byte) (*Info, bool) {
	c := t.first(args)
	if c == nil {
		return nil, false
	}
	if len(c.subs) == 0 || len(args) < 2 {
		return c, true
	}
	var buf [longestWord]byte
	n, ok := lower(&buf, args[1])
	if !ok {
		return nil, false
	}
	sub, ok := c.subs[string(buf[:n])]
	return sub, ok
}

// first finds the command that the first word of a call names.
func (t *Table) first(args [][]byte) *Info {
	if len(args) == 0 {
		return nil
	}
	var buf [longestWord]byte
	n, ok := lower(&buf, args[0])
	if !ok {
		return nil
	}
	return t.byName[string(buf[:n])]
}

// Unknown describes a call that Lookup does not find. Name is what a deployment may be asked
// about (COMMAND INFO): the first word, or "container|word" if the first word is a container's
// name and only the subcommand is not known, in which case the container is returned too. Name
// is empty if the words cannot be those of any command.
func (t *Table) Unknown(args [][]byte) (name string, container *Info) {
	if len(args) == 0 {
		return "", nil
	}
	container = t.first(args)
	word := args[0]
	if container != nil {
		if len(args) < 2 {
			return "", container
		}
		word = args[1]
	}
	if !nameable(word) {
		return "", container
	}
	name = string(word)
	if container != nil {
		name = container.Name + "|" + name
	}
	return name, container
}

// nameable reports whether a word can be the name of a command or a subcommand: printable
// ASCII without what separates words.
func nameable(word []byte) bool {
	if len(word) == 0 || len(word) > longestWord {
		return false
	}
	for _, c := range word {
		if c <= ' ' || c > '~' || c == '|' {
			return false
		}
	}
	return true
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
