package resp

import "strings"

// outspoken are the codes of errors that servers word without the arguments they were given.
var outspoken = map[string]bool{
	"WRONGPASS": true, "NOAUTH": true, "NOPROTO": true, "NOPERM": true, "DENIED": true,
	"LOADING": true, "BUSY": true, "MASTERDOWN": true, "CLUSTERDOWN": true, "MISCONF": true,
}

// reasons are what can be said in words of our own of the other errors, by what a server's
// text has in it.
var reasons = []struct{ has, says string }{
	{"unknown command", "unknown command"},
	{"max number of clients", "max number of clients reached"},
	{"wrong number of arguments", "wrong number of arguments"},
	{"syntax error", "syntax error"},
	{"without any password configured", "a password was given, and the server has none configured"},
}

// Refusal returns what may be shown to callers and in logs of a server's error to a command
// that carries a secret, as HELLO and AUTH do: servers and proxies that do not know a command
// repeat its arguments. It is the error's code with words of our own, and the server's own text
// only for codes whose texts hold no arguments, and never if the secret is in it.
func Refusal(text, secret string) string {
	code := ErrorCode([]byte(text))
	repeats := secret != "" && strings.Contains(text, secret)
	if outspoken[code] {
		if !repeats {
			return text
		}
		return code + " (the server's words are withheld: the password is among them)"
	}
	if secret != "" && strings.Contains(code, secret) {
		code = "ERR"
	}
	lower := strings.ToLower(text)
	for _, r := range reasons {
		if strings.Contains(lower, r.has) {
			return code + " " + r.says
		}
	}
	return code + " (the server's words are withheld: the password may be among them)"
}
