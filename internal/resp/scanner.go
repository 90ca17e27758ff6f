package resp

// DefaultMaxDepth is the nesting that a Scanner with a zero MaxDepth allows.
const DefaultMaxDepth = 32

// Scanner finds where reply frames end in a stream of bytes that arrives in pieces. It looks
// at every byte once, whatever the pieces are, keeps none of them, and its memory does not
// depend on what the stream says. The zero value is ready; it is for one goroutine.
//
// A top-level attribute ('|') counts as a frame of its own, to be dropped like a push ('>'):
// the reply that it annotates follows as the next frame.
type Scanner struct {
	// MaxDepth is the nesting of aggregates that is tracked: 1 allows arrays of scalars.
	// Zero means DefaultMaxDepth. A frame that nests deeper is still scanned to its end,
	// and TooDeep tells.
	MaxDepth int

	state   state
	typ     byte  // type byte of the element being scanned
	top     byte  // type byte of the frame being scanned
	neg     bool  // the number being scanned began with '-'
	tooDeep bool  // levels is given up, pending counts instead
	digits  int   // digits of the number so far, or bytes of a line's text
	num     int64 // the number so far
	need    int64 // bytes missing of a string's body
	pending int64 // elements of all levels that have not begun, when tooDeep
	levels  []int64
}

type state uint8

const (
	atFrame  state = iota // before the type byte of a frame
	atType                // before the type byte of a nested element
	inNumber              // in a length or count
	inNumberLF
	inBody // in a string's bytes
	atBodyCR
	atBodyLF
	inInteger // in an integer's digits
	inIntegerLF
	inLine // in the text of a simple type
	inLineLF
)

// Scan goes on scanning with the next bytes of the stream. It stops behind the last byte of
// the current frame (done), else it has taken all of b. The bytes behind n belong to the next
// frame and are given again. After an error the scanner is of no more use; errors are of type
// *ProtocolError.
func (s *Scanner) Scan(b []byte) (n int, done bool, err error) {
	if s.state == atFrame {
		if len(b) == 0 {
			return 0, false, nil
		}
		s.tooDeep, s.top = false, b[0]
		if n := scalar(b); n > 0 {
			return n, true, nil
		}
		s.begin()
	}
	return s.scan(b)
}

// Type returns the type byte of the current frame: the one being scanned, or the one that
// ended last. Zero before the first byte.
func (s *Scanner) Type() byte { return s.top }

// AtStart reports whether the next byte begins a frame.
func (s *Scanner) AtStart() bool { return s.state == atFrame }

// TooDeep reports whether the current frame nests deeper than MaxDepth.
func (s *Scanner) TooDeep() bool { return s.tooDeep }

// Need returns how many more bytes the string being scanned is declared to take, its CRLF
// included, or 0 outside of one. It is the server's word: no reason to allocate them at once.
func (s *Scanner) Need() int64 {
	switch s.state {
	case inBody:
		return s.need + 2
	case atBodyCR:
		return 2
	case atBodyLF:
		return 1
	}
	return 0
}

func (s *Scanner) begin() {
	s.levels = append(s.levels[:0], 1)
	s.pending = 0
	s.state = atType
}

// scan takes the elements of one frame, the slow way where an element is not whole.
func (s *Scanner) scan(b []byte) (int, bool, error) {
	for i := 0; i < len(b); {
		switch s.state {
		case atType:
			if n := scalar(b[i:]); n > 0 {
				i += n
				if s.element() {
					return i, true, nil
				}
				continue
			}
			if err := s.start(b[i]); err != nil {
				return i, false, err
			}
			i++
		case inBody:
			n := min(s.need, int64(len(b)-i))
			s.need -= n
			i += int(n)
			if s.need == 0 {
				s.state = atBodyCR
			}
		case inLine:
			i += s.text(b[i:])
		default:
			done, err := s.step(b[i])
			if err != nil {
				return i, false, err
			}
			i++
			if done {
				return i, true, nil
			}
		}
	}
	return len(b), false, nil
}

// start takes the type byte of an element.
func (s *Scanner) start(c byte) error {
	s.typ, s.num, s.digits, s.neg = c, 0, 0, false
	switch c {
	case TypeBulk, TypeVerbatim, TypeBulkError, TypeArray, TypeSet, TypeMap, TypeAttribute, TypePush:
		s.state = inNumber
	case TypeInteger:
		s.state = inInteger
	case TypeSimple, TypeError, TypeDouble, TypeBigNumber, TypeNull, TypeBoolean:
		s.state = inLine
	default:
		return malformed("unknown type byte %q", c)
	}
	return nil
}

// step takes one byte in the states that go byte by byte.
func (s *Scanner) step(c byte) (done bool, err error) {
	switch s.state {
	case inNumber, inInteger:
		return false, s.digit(c)
	case inNumberLF, inIntegerLF:
		if c != '\n' {
			return false, malformed("a line ends with CR and %q", c)
		}
		if s.state == inIntegerLF {
			return s.element(), nil
		}
		return s.header()
	case atBodyCR:
		if c != '\r' {
			return false, malformed("a string is followed by %q instead of CRLF", c)
		}
		s.state = atBodyLF
	case atBodyLF:
		if c != '\n' {
			return false, malformed("a string is followed by CR and %q instead of CRLF", c)
		}
		return s.element(), nil
	case inLineLF:
		return s.lineEnd(c)
	}
	return false, nil
}

// text takes the text of a simple type up to its CR.
func (s *Scanner) text(b []byte) int {
	for i, c := range b {
		if c == '\r' {
			s.state = inLineLF
			s.digits += i
			return i + 1
		}
		if s.digits+i == 0 {
			s.num = int64(c) // the first byte: a boolean's value
		}
	}
	s.digits += len(b)
	return len(b)
}

// lineEnd takes the byte behind a CR in a simple type: its end, or more text.
func (s *Scanner) lineEnd(c byte) (bool, error) {
	if c != '\n' {
		s.digits++ // the CR was text
		if c != '\r' {
			s.digits++
			s.state = inLine
		}
		return false, nil
	}
	switch {
	case s.typ == TypeNull && s.digits != 0:
		return false, malformed("a null with text")
	case s.typ == TypeBoolean && (s.digits != 1 || (s.num != 't' && s.num != 'f')):
		return false, malformed("a boolean that is neither t nor f")
	case s.digits == 0 && (s.typ == TypeDouble || s.typ == TypeBigNumber):
		return false, malformed("an empty number")
	}
	return s.element(), nil
}

// digit takes a byte of a length, a count or an integer.
func (s *Scanner) digit(c byte) error {
	switch {
	case c-'0' <= 9:
		s.digits++
		if s.state == inInteger {
			if s.digits > maxIntDigits {
				return malformed("an integer of more than 64 bits")
			}
			return nil
		}
		if s.digits > 1 && s.num == 0 {
			return malformed("a length with leading zeros")
		}
		if s.num = s.num*10 + int64(c-'0'); s.num > MaxLength {
			return malformed("a length over %d", MaxLength)
		}
	case c == '-' && s.digits == 0 && !s.neg:
		s.neg = true
	case c == '\r' && s.digits > 0:
		s.state++ // to its LF
	case c == '\r':
		return malformed("a number without digits")
	default:
		return malformed("%q in a number", c)
	}
	return nil
}

// header ends the line with an element's length or count.
func (s *Scanner) header() (done bool, err error) {
	if s.neg {
		if s.num == 1 && (s.typ == TypeBulk || s.typ == TypeArray) {
			return s.element(), nil // null, as RESP2 says it
		}
		return false, malformed("a negative length for type %q", s.typ)
	}
	switch s.typ {
	case TypeBulk, TypeVerbatim, TypeBulkError:
		if s.typ == TypeVerbatim && s.num < minVerbatim {
			return false, malformed("a verbatim string without its format")
		}
		s.need, s.state = s.num, inBody
		if s.need == 0 {
			s.state = atBodyCR
		}
		return false, nil
	case TypeMap, TypeAttribute:
		return s.push(2 * s.num)
	}
	return s.push(s.num)
}

// push begins an aggregate of n elements.
func (s *Scanner) push(n int64) (done bool, err error) {
	nested := len(s.levels) > 1 || s.tooDeep
	if nested && (s.typ == TypeAttribute || s.typ == TypePush) {
		s.more(1) // stands beside the elements of the aggregate around it, not among them
	}
	if n == 0 {
		return s.element(), nil
	}
	s.state = atType
	if !s.tooDeep && len(s.levels) <= s.maxDepth() {
		s.levels = append(s.levels, n)
		return false, nil
	}
	if !s.tooDeep {
		// From here on count only the elements that have not begun. A level counts those
		// that have not ended: all its levels but the last have one more that is open.
		s.tooDeep = true
		s.pending = 1 - int64(len(s.levels))
		for _, l := range s.levels {
			s.pending += l
		}
	}
	s.pending += n - 1
	if s.pending > 1<<60 {
		return false, malformed("too many elements")
	}
	return false, nil
}

// more adds to the elements missing in the current level.
func (s *Scanner) more(n int64) {
	if s.tooDeep {
		s.pending += n
		return
	}
	s.levels[len(s.levels)-1] += n
}

func (s *Scanner) maxDepth() int {
	if s.MaxDepth > 0 {
		return s.MaxDepth
	}
	return DefaultMaxDepth
}

// element ends an element, and the aggregates that it completes. It reports whether the frame
// is complete.
func (s *Scanner) element() bool {
	s.state = atType
	if s.tooDeep {
		if s.pending--; s.pending == 0 {
			s.state = atFrame
			return true
		}
		return false
	}
	for {
		last := len(s.levels) - 1
		if s.levels[last]--; s.levels[last] > 0 {
			return false
		}
		if last == 0 {
			s.state = atFrame
			return true
		}
		s.levels = s.levels[:last]
	}
}
