package resp

import "strconv"

// Frame is one complete reply as it came: from its type byte through its last CRLF, nested
// elements included. A frame of length zero stands for no reply. Frames from a Scanner are
// well formed; the methods take any bytes without panic. A frame is a slice of a read buffer
// and is not to be written to.
type Frame []byte

// Type returns the type byte, or 0 of an empty frame.
func (f Frame) Type() byte {
	if len(f) == 0 {
		return 0
	}
	return f[0]
}

// IsError reports whether the reply is an error, simple ('-') or bulk ('!').
func (f Frame) IsError() bool {
	return len(f) > 0 && (f[0] == TypeError || f[0] == TypeBulkError)
}

// ErrorText returns an error's full text as the server worded it, the "ERR " prefix kept.
// It is empty when the reply is no error.
func (f Frame) ErrorText() string { return string(f.errorText()) }

// ErrorCode returns the leading word of an error's text when it is in upper case (letters,
// digits, '_' and '-', as WRONGTYPE), else "ERR". It is empty when the reply is no error.
func (f Frame) ErrorCode() string {
	if !f.IsError() {
		return ""
	}
	return ErrorCode(f.errorText())
}

// ErrorCode is the code of an error with that text, by the rule of [Frame.ErrorCode].
func ErrorCode(text []byte) string {
	n := 0
	for n < len(text) && isCodeByte(text[n]) {
		n++
	}
	if n == 0 || (n < len(text) && text[n] != ' ') || text[0] < 'A' || text[0] > 'Z' {
		return "ERR"
	}
	return string(text[:n])
}

func isCodeByte(c byte) bool {
	return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'
}

func (f Frame) errorText() []byte {
	if !f.IsError() {
		return nil
	}
	e, _, err := token(f)
	if err != nil {
		return nil
	}
	return e.Text
}

// Integer returns the value of an integer (':') reply.
func (f Frame) Integer() (int64, bool) {
	if f.Type() != TypeInteger {
		return 0, false
	}
	e, _, err := token(f)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(e.Text), 10, 64)
	return n, err == nil
}

// IsNull reports whether the reply is a null: "_", or RESP2's "$-1" and "*-1".
func (f Frame) IsNull() bool {
	return f.Type() == TypeNull || isNullLength(f)
}

// IsSimple reports whether the reply is the simple string text, without allocating.
func (f Frame) IsSimple(text string) bool {
	n := len(text) + 1
	return len(f) == n+2 && f[0] == TypeSimple && string(f[1:n]) == text && f[n] == '\r' && f[n+1] == '\n'
}

// Bytes returns the payload of a bulk string ('$') reply, a slice of the frame. It is the short
// way for what nearly all replies are: ok is false as well for a null, and for bytes that are no
// frame or more than one.
func (f Frame) Bytes() (text []byte, ok bool) {
	if len(f) < 5 || f[0] != TypeBulk {
		return nil, false
	}
	n, size := length(f)
	if size == 0 || n != len(f)-size-2 || !stringEnds(f, size, n) {
		return nil, false
	}
	return f[size : size+n : size+n], true
}
