package command

import "strings"

// upper is strings.ToUpper for the ASCII words of the protocol.
func upper(s string) string { return strings.ToUpper(s) }

// equalFold reports whether b is the word, which is in upper-case ASCII, in any case.
func equalFold(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i := range len(word) {
		c := b[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// longestWord bounds the words of the table; a longer one cannot be in it.
const longestWord = 64

// lower writes the word in lower-case ASCII to the buffer. It reports false if it is longer
// than any word of the table.
func lower(buf *[longestWord]byte, word []byte) (int, bool) {
	if len(word) > longestWord {
		return 0, false
	}
	for i, c := range word {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	return len(word), true
}
