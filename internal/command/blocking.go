package command

// Blocks reports whether the call may keep its connection waiting, so that it must not share
// one: BLPOP and its kind always (with a timeout of 0 they wait for ever), XREAD and
// XREADGROUP with the option BLOCK, WAIT and WAITAOF. Inside MULTI nothing blocks.
func (c *Info) Blocks(args [][]byte) bool {
	if !c.Has(Blocking) {
		return false
	}
	switch c.Name {
	case "xread", "xreadgroup":
		return hasBlockOption(args)
	}
	return true
}

// hasBlockOption looks for BLOCK where an option can stand. Words it does not know may be
// options of newer servers: BLOCK behind them is taken for one, because waiting on a
// connection of its own harms no one.
func hasBlockOption(args [][]byte) bool {
	for i := 1; i < len(args); i++ {
		switch {
		case equalFold(args[i], "BLOCK"):
			return true
		case equalFold(args[i], "STREAMS"):
			return false
		case equalFold(args[i], "COUNT"):
			i++
		case equalFold(args[i], "GROUP"):
			i += 2
		}
	}
	return false
}
