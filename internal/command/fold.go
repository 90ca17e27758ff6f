package command

// upper writes the ASCII letters of a word in upper case. Other letters have no case for a
// server: what Unicode calls the upper case of some of them is ASCII.
func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - ('a' - 'A')
		}
	}
	return string(b)
}

// optionIs reports whether the server takes an argument for an option's word, which is in
// upper-case ASCII. It compares as the server does (C's strcasecmp): in any case, and up to
// the first NUL, so that "BLOCK\x00" is BLOCK.
//
// Names of commands and subcommands are not compared like that: see lower.
func optionIs(b []byte, word string) bool {
	if len(b) < len(word) || (len(b) > len(word) && b[len(word)] != 0) {
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

// lower writes the word of a name in lower-case ASCII to the buffer. It reports false if it
// is longer than any word of the table. All of the word counts, NULs and what follows them
// included: the server finds "GET\x00x" to be GET only if their hashes happen to share a
// bucket, so such a name means nothing to anyone, and is never sent.
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
