package resp

// Element is one token of a reply: a scalar, or the head of an aggregate.
type Element struct {
	// Type is the type byte. A null has TypeNull in all its forms ("_", "$-1", "*-1").
	Type byte
	// Text is a scalar's payload without type byte, length and CRLF, and a slice of the
	// input: of a verbatim string with its format ("txt:..."), of a boolean "t" or "f".
	Text []byte
	// Count is an aggregate's number of elements; of a map, of its entries.
	Count int
}

// Next reads one token off the front of complete frames. After the head of an aggregate, rest
// begins with its first element. Attributes and pushes are skipped: they are no elements of
// what holds them. Frames from a Scanner never give an error; other bytes may, of type
// *ProtocolError, but no bytes make it panic.
func Next(b []byte) (e Element, rest []byte, err error) {
	for {
		e, rest, err = token(b)
		if err != nil || (e.Type != TypeAttribute && e.Type != TypePush) {
			return e, rest, err
		}
		if b, err = skip(rest, width(e)); err != nil {
			return Element{}, nil, err
		}
	}
}

// Cut takes one complete element, with all that is nested in it, off the front of complete
// frames. Attributes and pushes before it are skipped. Errors are as of Next.
func Cut(b []byte) (f Frame, rest []byte, err error) {
	for {
		e, after, err := token(b)
		if err != nil {
			return nil, nil, err
		}
		if rest, err = skip(after, width(e)); err != nil {
			return nil, nil, err
		}
		if e.Type != TypeAttribute && e.Type != TypePush {
			n := len(b) - len(rest)
			return Frame(b[:n:n]), rest, nil
		}
		b = rest
	}
}

// width is the number of elements that follow a token.
func width(e Element) int {
	if e.Type == TypeMap || e.Type == TypeAttribute {
		return 2 * e.Count
	}
	return e.Count
}

// skip takes n elements off the front, with what is nested in them.
func skip(b []byte, n int) ([]byte, error) {
	for n > 0 {
		e, rest, err := token(b)
		if err != nil {
			return nil, err
		}
		b = rest
		n += width(e)
		if e.Type != TypeAttribute && e.Type != TypePush {
			n--
		}
		if n > len(b) {
			return nil, malformed("fewer elements than declared")
		}
	}
	return b, nil
}

// token reads one token, attributes and pushes included.
func token(b []byte) (Element, []byte, error) {
	if len(b) == 0 {
		return Element{}, nil, malformed("no bytes")
	}
	switch b[0] {
	case TypeBulk, TypeVerbatim, TypeBulkError:
		n, size := length(b)
		if size > 0 && stringEnds(b, size, n) && (b[0] != TypeVerbatim || n >= minVerbatim) {
			end := size + n
			return Element{Type: b[0], Text: b[size:end:end]}, b[end+2:], nil
		}
	case TypeArray, TypeSet, TypeMap, TypeAttribute, TypePush:
		// Every element takes bytes, so that what is counted by twice the number is still an int.
		if n, size := length(b); size > 0 && n <= len(b) {
			return Element{Type: b[0], Count: n}, b[size:], nil
		}
	default:
		if n := scalar(b); n > 0 {
			return Element{Type: b[0], Text: b[1 : n-2 : n-2]}, b[n:], nil
		}
	}
	if isNullLength(b) {
		return Element{Type: TypeNull}, b[5:], nil
	}
	return Element{}, nil, malformed("an incomplete or bad element of type %q", b[0])
}

// stringEnds reports whether the n bytes from size on are there, with their CRLF.
func stringEnds(b []byte, size, n int) bool {
	return n <= len(b)-size-2 && b[size+n] == '\r' && b[size+n+1] == '\n'
}

// isNullLength reports whether b begins with a null as RESP2 says it.
func isNullLength(b []byte) bool {
	return len(b) >= 5 && (b[0] == TypeBulk || b[0] == TypeArray) && string(b[1:5]) == "-1\r\n"
}
