package command

// scripted are the commands that run a caller's code, and so let the caller choose the text
// of an error: scripts and functions by what they return, DEBUG ERROR by its argument.
var scripted = map[string]bool{
	"eval":       true,
	"eval_ro":    true,
	"evalsha":    true,
	"evalsha_ro": true,
	"fcall":      true,
	"fcall_ro":   true,
	"debug":      true,
}

// RunsScript reports whether the command runs a caller's code: EVAL, EVALSHA, FCALL and their
// _RO forms, and DEBUG (which sleeps as long as it is told to). Meanwhile the server reads
// nothing more from the connection that it came on. None of its errors is to be trusted.
func (c *Info) RunsScript() bool { return c != nil && c.scripted }

// ErrorsUntrusted reports whether an error of the command's, whatever its text, may have been
// raised after it had effects, and may be the caller's own words: a redirect or a code in it
// proves nothing. That is so for what runs a caller's code (RunsScript), and for modules'
// commands: a module can return any text at any time, and some call other commands or run
// code that they are given.
func (c *Info) ErrorsUntrusted() bool { return c != nil && (c.scripted || c.Has(Module)) }
