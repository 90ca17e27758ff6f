package embedded

import (
	"strings"
)

// instrument returns a Lua chunk with a call of the function of that name put wherever the
// chunk can go round: at the start of every loop's body and every function's, and before
// every goto. The call stands on the line it is for, so line numbers stay right. A chunk that
// compiles does so afterwards and means the same; one that does not is left to the compiler.
func instrument(chunk, call string) string {
	statement := " " + call + "(); "
	var out strings.Builder
	out.Grow(len(chunk) + len(chunk)/8)
	parameters := false // between "function" and the end of its parameters
	for rest := chunk; rest != ""; {
		n := luaToken(rest)
		token := rest[:n]
		rest = rest[n:]
		if token == "goto" {
			out.WriteString(statement)
		}
		out.WriteString(token)
		switch {
		case token == "do", token == "repeat", token == ")" && parameters:
			out.WriteString(statement)
			parameters = false
		case token == "function":
			parameters = true
		}
	}
	return out.String()
}

// luaToken returns the length of the token at the start of a text that is not empty, by the
// rules of the store's Lua compiler. Comments, strings and numbers are one token each, as is
// any other single character that is not part of a word.
func luaToken(text string) int {
	c := text[0]
	switch {
	case luaLetter(c):
		n := 1
		for n < len(text) && (luaLetter(text[n]) || luaDigit(text[n])) {
			n++
		}
		return n
	case luaDigit(c):
		return luaNumber(text)
	case c == '.' && len(text) > 1 && luaDigit(text[1]):
		return luaNumber(text)
	case c == '.':
		// Two and three dots are tokens of their own: a number begins after them, not in them.
		n := 1
		for n < min(len(text), 3) && text[n] == '.' {
			n++
		}
		return n
	case c == '"', c == '\'':
		return luaQuoted(text)
	case c == '[':
		return max(luaLong(text), 1)
	case strings.HasPrefix(text, "--"):
		if n := luaLong(text[2:]); n > 0 {
			return 2 + n
		}
		if n := strings.IndexAny(text, "\r\n"); n >= 0 {
			return n
		}
		return len(text)
	default:
		return 1
	}
}

func luaLetter(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func luaDigit(c byte) bool { return '0' <= c && c <= '9' }

// luaNumber returns the length of a number, which a word may follow without a space.
func luaNumber(text string) int {
	digits := func(n int, is func(byte) bool) int {
		for n < len(text) && is(text[n]) {
			n++
		}
		return n
	}
	if len(text) > 1 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') {
		return digits(2, func(c byte) bool {
			return luaDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
		})
	}
	n := digits(0, luaDigit)
	if n < len(text) && text[n] == '.' {
		n = digits(n+1, luaDigit)
	}
	if n < len(text) && (text[n] == 'e' || text[n] == 'E') {
		if n++; n < len(text) && (text[n] == '+' || text[n] == '-') {
			n++
		}
		n = digits(n, luaDigit)
	}
	return n
}

// luaQuoted returns the length of a string in quotes; one without an end has the whole text.
func luaQuoted(text string) int {
	for n := 1; n < len(text); n++ {
		switch text[n] {
		case '\\':
			n++
		case text[0]:
			return n + 1
		}
	}
	return len(text)
}

// luaLong returns the length of a string in long brackets, which comments have too, and 0 if
// the text begins with none. One without an end has the whole text.
func luaLong(text string) int {
	if text == "" || text[0] != '[' {
		return 0
	}
	level := 1
	for level < len(text) && text[level] == '=' {
		level++
	}
	if level == len(text) || text[level] != '[' {
		return 0
	}
	end := "]" + text[1:level] + "]"
	if n := strings.Index(text[level+1:], end); n >= 0 {
		return level + 1 + n + len(end)
	}
	return len(text)
}
