package wire

import (
	"errors"
	"fmt"
)

// RequestError says that a request is wrong in itself. Nothing has been sent.
type RequestError struct {
	// Field is the path of what is wrong, such as "batch.commands[3]". Empty: the request as a whole.
	Field string
	// Reason is a stable UPPER_SNAKE_CASE word for the kind of mistake.
	Reason string
	// Message says what is wrong and what would be right.
	Message string
}

// Error implements error.
func (e *RequestError) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// The reasons of a [RequestError].
const (
	ReasonMalformed        = "MALFORMED_REQUEST"
	ReasonInvalidText      = "INVALID_TEXT"
	ReasonEmptyPipeline    = "EMPTY_PIPELINE"
	ReasonEmptyCommand     = "EMPTY_COMMAND"
	ReasonArgumentForms    = "ARGUMENT_FORMS"
	ReasonEmptyCommandName = "EMPTY_COMMAND_NAME"
)

// malformed is the error of bytes that are not the encoding of the message at field.
func malformed(field string, err error) error {
	var known *RequestError
	if errors.As(err, &known) {
		return known // of a message inside, which says more
	}
	return &RequestError{Field: field, Reason: ReasonMalformed, Message: "the request cannot be decoded: " + err.Error()}
}

// invalidText is the error of a text field that is not UTF-8.
func invalidText(field, instead string) error {
	return &RequestError{Field: field, Reason: ReasonInvalidText, Message: "the text is not valid UTF-8: " + instead}
}

// commandField is the path of a command.
func commandField(i int) string { return fmt.Sprintf("batch.commands[%d]", i) }
