package command

// scripted are the commands that let the caller choose the text of an error: scripts and
// functions by what they return, DEBUG ERROR by its argument.
var scripted = map[string]bool{
	"eval":       true,
	"eval_ro":    true,
	"evalsha":    true,
	"evalsha_ro": true,
	"fcall":      true,
	"fcall_ro":   true,
	"debug":      true,
}

// RunsScript reports whether any error text of the command's may be the caller's own, so
// that a redirect or a code in it proves nothing. A script that failed may have had effects.
func (c *Info) RunsScript() bool { return c != nil && c.scripted }
