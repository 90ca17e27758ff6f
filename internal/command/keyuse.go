package command

import "github.com/valkeybatch/valkeybatch/internal/command/meta"

// KeyUse is what a command does with a key, as Valkey's ACLs tell it apart.
type KeyUse uint8

const (
	// ReadsKey is a command that gives away what the key holds.
	ReadsKey KeyUse = 1 << iota
	// WritesKey is a command that changes what the key holds.
	WritesKey
)

// useOf reads the use from the flags of a key specification. Neither is for commands that only
// tell something of the key, such as whether it exists. A specification without flags says
// nothing and means both.
func useOf(s *meta.KeySpec) KeyUse {
	if len(s.Flags) == 0 {
		return ReadsKey | WritesKey
	}
	var use KeyUse
	if s.Has("access") {
		use |= ReadsKey
	}
	if s.Has("insert") || s.Has("update") || s.Has("delete") {
		use |= WritesKey
	}
	return use
}

// eachKey calls visit with the position of every key of a call and its use until visit is
// false. Channels are no keys here. An error is a *MalformedError.
func (c *Info) eachKey(args [][]byte, visit func(at int, use KeyUse) bool) error {
	if c.byHand != nil {
		return c.eachKeyByHand(args, visit)
	}
	var buf [32]int
	for i := range c.specs {
		s := &c.specs[i]
		if s.channel {
			continue
		}
		keys, err := c.keysOf(s, args, buf[:0])
		if err != nil {
			return err
		}
		use := s.use
		if c.Name == "set" {
			use = useOfSet(args)
		}
		for _, at := range keys {
			if !visit(at, use) {
				return nil
			}
		}
	}
	return nil
}

// eachKeyByHand is eachKey for the commands of keysByHand.
func (c *Info) eachKeyByHand(args [][]byte, visit func(at int, use KeyUse) bool) error {
	keys, wrong := c.byHand(args, nil)
	if wrong != "" {
		return c.malformed(wrong)
	}
	for _, at := range keys {
		use := ReadsKey | WritesKey
		switch c.Name {
		case "xread", "xreadgroup", "sort_ro":
			use = ReadsKey
		case "sort", "georadius", "georadiusbymember":
			// The key, and the destination behind STORE.
			if use = WritesKey; at == 1 {
				use = ReadsKey
			}
		}
		if !visit(at, use) {
			return nil
		}
	}
	return nil
}

// useOfSet is what SET does with its key: it reads only where it gives the old value or
// compares it.
func useOfSet(args [][]byte) KeyUse {
	for i := 3; i < len(args); i++ {
		if optionIs(args[i], "GET") || optionIs(args[i], "IFEQ") {
			return ReadsKey | WritesKey
		}
	}
	return WritesKey
}

// sortsByOthers reports whether a call of SORT reads keys that its patterns make of elements.
func (c *Info) sortsByOthers(args [][]byte) bool {
	if c.Name != "sort" && c.Name != "sort_ro" {
		return false
	}
	for i := 2; i < len(args); i++ {
		if optionIs(args[i], "BY") || optionIs(args[i], "GET") {
			return true
		}
	}
	return false
}
