package wire

import (
	"fmt"
	"unicode/utf8"

	"github.com/valkeybatch/valkeybatch/internal/options"
	"github.com/valkeybatch/valkeybatch/internal/poison"
)

// Batch is a decoded request: the domain's form of it.
type Batch struct {
	// Commands holds each command as its name and arguments, which are slices of the request's
	// bytes.
	Commands [][][]byte
	// Options are the request's options as they stand in it, with is_atomic and raise_on_error.
	Options options.Input
	// FormError says which command is the first that is not given in exactly one of the two
	// forms, or has no name. Nil: none.
	FormError *RequestError

	texts []uint64 // bit i: command i was given as text
	args  [][]byte
}

// Text reports whether command i was given as text_args.
func (b *Batch) Text(i int) bool {
	return i>>6 < len(b.texts) && b.texts[i>>6]&(1<<(i&63)) != 0
}

// reset empties the batch for another request of that size and keeps its memory.
func (b *Batch) reset(size Size) {
	b.FormError, b.Options, b.texts = nil, options.Input{}, b.texts[:0]
	if cap(b.Commands) < size.Commands {
		b.Commands = make([][][]byte, 0, size.Commands)
	}
	if cap(b.args) < size.Arguments {
		b.args = make([][]byte, 0, size.Arguments)
	}
	b.Commands, b.args = b.Commands[:0], b.args[:0]
}

// forget lets go of the request's bytes.
func (b *Batch) forget() {
	clear(b.Commands)
	clear(b.args)
	if poison.On {
		spoilt := []byte("used after its release")
		poison.Fill(b.Commands, [][]byte{spoilt})
		poison.Fill(b.args, spoilt)
		poison.Fill(b.texts, 0xDBDB)
	}
	b.Commands, b.args, b.FormError, b.Options = b.Commands[:0], b.args[:0], nil, options.Input{}
}

// decode reads an encoded ExecuteBatchRequest that was measured as size. It accepts what the
// generated code accepts and finds in it what the generated code finds. Its error is a
// [*RequestError].
func (b *Batch) decode(encoded []byte, size Size) error {
	b.reset(size)
	for len(encoded) > 0 {
		f, err := next(encoded)
		if err != nil {
			return malformed("", err)
		}
		encoded = encoded[f.size:]
		switch {
		case f.is(requestBatch):
			err = b.batch(f.value)
		case f.isVarint(requestRaise):
			b.Options.RaiseOnError = f.number != 0
		case f.is(requestStandalone):
			err = standaloneOptions(&b.Options, f.value)
		case f.is(requestCluster):
			err = clusterOptions(&b.Options, f.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// batch reads a Batch, or one more piece of it.
func (b *Batch) batch(encoded []byte) error {
	for len(encoded) > 0 {
		if value, size := short(encoded, tagCommand); size > 0 {
			encoded = encoded[size:]
			if err := b.command(value); err != nil {
				return malformed(commandField(len(b.Commands)), err)
			}
			continue
		}
		f, err := next(encoded)
		if err != nil {
			return malformed("batch", err)
		}
		encoded = encoded[f.size:]
		switch {
		case f.is(batchCommands):
			if err := b.command(f.value); err != nil {
				return malformed(commandField(len(b.Commands)), err)
			}
		case f.isVarint(batchAtomic):
			b.Options.Atomic = f.number != 0
		}
	}
	return nil
}

// command reads one Command.
func (b *Batch) command(encoded []byte) error {
	first := len(b.args)
	binary, text := 0, 0
	for len(encoded) > 0 {
		if value, size := short(encoded, tagArgs); size > 0 {
			b.args = append(b.args, value)
			binary++
			encoded = encoded[size:]
			continue
		}
		f, err := next(encoded)
		if err != nil {
			return err
		}
		encoded = encoded[f.size:]
		switch {
		case f.is(commandArgs):
			b.args = append(b.args, f.value[:len(f.value):len(f.value)])
			binary++
		case f.is(commandText):
			if !utf8.Valid(f.value) {
				return invalidText(fmt.Sprintf("%s.text_args[%d]", commandField(len(b.Commands)), text), "give the command as args")
			}
			b.args = append(b.args, f.value[:len(f.value):len(f.value)])
			text++
		}
	}
	args := b.args[first:len(b.args):len(b.args)]
	if b.FormError == nil {
		b.FormError = formError(len(b.Commands), args, binary, text)
	}
	if text > 0 {
		for len(b.Commands)>>6 >= len(b.texts) {
			b.texts = append(b.texts, 0)
		}
		b.texts[len(b.Commands)>>6] |= 1 << (len(b.Commands) & 63)
	}
	b.Commands = append(b.Commands, args)
	return nil
}

// formError says what is wrong with the form of command i; nil: nothing.
func formError(i int, args [][]byte, binary, text int) *RequestError {
	switch {
	case binary > 0 && text > 0:
		return &RequestError{Field: commandField(i), Reason: ReasonArgumentForms,
			Message: "args and text_args are both set: set exactly one"}
	case len(args) == 0:
		return &RequestError{Field: commandField(i), Reason: ReasonEmptyCommand,
			Message: "the command is empty: set args or text_args, the command's name first"}
	case len(args[0]) == 0:
		form := "args"
		if text > 0 {
			form = "text_args"
		}
		return &RequestError{Field: fmt.Sprintf("%s.%s[0]", commandField(i), form), Reason: ReasonEmptyCommandName,
			Message: "the command's name is empty"}
	}
	return nil
}
