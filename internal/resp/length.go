package resp

// maxDigits is the number of decimal digits of MaxLength.
const maxDigits = 10

// length reads the decimal length or count and its CRLF that follow the type byte b[0], and
// returns how many bytes they take, type byte included. It gives up (size 0) on anything
// unusual: incomplete, malformed, negative, too large. The caller then takes the slow way.
func length(b []byte) (n, size int) {
	var sum int64 // more than an int holds where that has 32 bits
	for i := 1; i < len(b) && i <= maxDigits+1; i++ {
		c := b[i]
		if c-'0' <= 9 {
			sum = sum*10 + int64(c-'0')
			continue
		}
		if c != '\r' || i+1 >= len(b) || b[i+1] != '\n' || i == 1 || (b[1] == '0' && i > 2) || sum > MaxLength {
			return 0, 0
		}
		return int(sum), i + 2
	}
	return 0, 0
}

// scalar returns the size of the scalar element that b begins with when it is complete and
// well formed, its CRLF included. Zero: it is not, or not a scalar.
func scalar(b []byte) int {
	if len(b) < 3 {
		return 0
	}
	switch b[0] {
	case TypeBulk, TypeVerbatim, TypeBulkError:
		n, size := length(b)
		if size == 0 || (b[0] == TypeVerbatim && n < minVerbatim) {
			return 0
		}
		if !stringEnds(b, size, n) {
			return 0
		}
		return size + n + 2
	case TypeSimple, TypeError, TypeDouble, TypeBigNumber:
		n := line(b)
		if n == 3 && b[0] != TypeSimple && b[0] != TypeError {
			return 0
		}
		return n
	case TypeInteger:
		return integer(b)
	case TypeNull:
		if b[1] == '\r' && b[2] == '\n' {
			return 3
		}
	case TypeBoolean:
		if len(b) >= 4 && (b[1] == 't' || b[1] == 'f') && b[2] == '\r' && b[3] == '\n' {
			return 4
		}
	}
	return 0
}

// minVerbatim is the length of a verbatim string's format and colon.
const minVerbatim = 4

// line returns the size of the line that b begins with, type byte and CRLF included, or zero
// when its CRLF is not there. Like the reference clients it takes a lone CR or LF as text.
func line(b []byte) int {
	for i := 1; i+1 < len(b); i++ {
		if b[i] == '\r' && b[i+1] == '\n' {
			return i + 2
		}
	}
	return 0
}

// integer returns the size of the integer element that b begins with, or zero.
func integer(b []byte) int {
	i := 1
	if b[1] == '-' {
		i++
	}
	first := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	if i == first || i-first > maxIntDigits || i+1 >= len(b) || b[i] != '\r' || b[i+1] != '\n' {
		return 0
	}
	return i + 2
}

// maxIntDigits is the number of digits of the largest 64 bit integer.
const maxIntDigits = 19
