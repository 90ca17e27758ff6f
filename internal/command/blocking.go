package command

// Blocks reports whether the call may keep its connection waiting, so that it must not share
// one: BLPOP and its kind always (with a timeout of 0 they wait for ever), XREAD and
// XREADGROUP with the option BLOCK, WAIT and WAITAOF. Inside MULTI nothing blocks.
//
// It errs on the side of true: a call that is taken for one that waits harms no one, while
// one that waits unnoticed holds up everyone on its connection.
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

// hasBlockOption looks for BLOCK anywhere, a key or a group of that name included: where the
// options end is the server's to say, and a guess at it that is wrong once is one too many.
func hasBlockOption(args [][]byte) bool {
	for _, arg := range args {
		if optionIs(arg, "BLOCK") {
			return true
		}
	}
	return false
}
