package resp

import "fmt"

// ProtocolError is input that is not RESP3 as a server sends it. Nothing after it in the
// same stream can be trusted.
type ProtocolError struct {
	// Reason says what is wrong, in words.
	Reason string
}

// Error returns the reason.
func (e *ProtocolError) Error() string { return "malformed reply: " + e.Reason }

func malformed(format string, args ...any) error {
	return &ProtocolError{Reason: fmt.Sprintf(format, args...)}
}
