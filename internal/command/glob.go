package command

// globMatch reports whether a key matches a pattern as Valkey's keys, ACLs and KEYS do
// (stringmatchlen in its source): * is any bytes, ? one, [a-z], [abc] and [^a] one of a class,
// and a backslash takes the next byte as it is. Its time is bounded by the product of both lengths.
func globMatch(pattern string, key []byte) bool {
	p, k := 0, 0
	star, mark := -1, 0 // where to go on after the last *, and what it has taken by then
	for k < len(key) {
		if p < len(pattern) && pattern[p] == '*' {
			p++
			star, mark = p, k
			continue
		}
		if p < len(pattern) {
			if n, ok := globOne(pattern[p:], key[k]); ok {
				p += n
				k++
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		p, k = star, mark
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// globOne matches one byte with what the pattern begins with, which is no *. It returns how
// much of the pattern that was.
func globOne(pattern string, c byte) (n int, ok bool) {
	switch pattern[0] {
	case '?':
		return 1, true
	case '[':
		return globClass(pattern, c)
	case '\\':
		if len(pattern) >= 2 {
			return 2, pattern[1] == c
		}
	}
	return 1, pattern[0] == c
}

// globClass matches a byte with a class, which ends with the pattern if it is not closed.
func globClass(pattern string, c byte) (n int, ok bool) {
	i := 1
	not := i < len(pattern) && pattern[i] == '^'
	if not {
		i++
	}
	for i < len(pattern) && pattern[i] != ']' {
		switch {
		case pattern[i] == '\\' && i+1 < len(pattern):
			ok = ok || pattern[i+1] == c
			i += 2
		case i+2 < len(pattern) && pattern[i+1] == '-':
			from, to := min(pattern[i], pattern[i+2]), max(pattern[i], pattern[i+2])
			ok = ok || from <= c && c <= to
			i += 3
		default:
			ok = ok || pattern[i] == c
			i++
		}
	}
	return min(i+1, len(pattern)), ok != not
}
