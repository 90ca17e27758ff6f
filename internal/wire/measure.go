package wire

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Size is what an encoded ExecuteBatchRequest asks for.
type Size struct {
	// Atomic is the batch's is_atomic.
	Atomic bool
	// Commands is the number of commands.
	Commands int
	// Arguments is the number of arguments of all commands together, in both forms and with the
	// commands' names.
	Arguments int
	// ArgumentBytes is how many bytes the arguments hold.
	ArgumentBytes int64
	// CommandBytes is how many bytes of the message the commands take, each with its tag and
	// length: the encoded size of a Batch that holds nothing else.
	CommandBytes int64
	// OtherBytes is how many bytes everything else takes: options, flags and unknown fields. The
	// tags and lengths of batch itself count nowhere; a message may give it in many pieces.
	OtherBytes int64
	// Longest is the longest argument, the first one of several.
	Longest Argument
}

// Argument is one argument of a request.
type Argument struct {
	// Command is the index of its command, and Index its own among those of its form.
	Command, Index int
	// Text is whether its form is text_args; else it is args.
	Text bool
	// Bytes is its length.
	Bytes int
}

// Field is the path of the argument's field, such as "batch.commands[3].args[1]".
func (a Argument) Field() string {
	form := "args"
	if a.Text {
		form = "text_args"
	}
	return fmt.Sprintf("batch.commands[%d].%s[%d]", a.Command, form, a.Index)
}

// Measure measures an encoded ExecuteBatchRequest by protobuf's rules: pieces of batch are
// merged, unknown fields are skipped. It allocates nothing, unless it returns a
// [*RequestError]: bytes that it refuses the generated code refuses too. It reads commands
// and nothing else, so [Request.Decode] may still refuse bytes that were measured: for options
// that are malformed, or for text that is not UTF-8.
func Measure(b []byte) (Size, error) {
	var m measurer
	err := m.request(b)
	return m.size, err
}

// measurer walks a request.
type measurer struct {
	size Size
}

func (m *measurer) request(b []byte) error {
	for len(b) > 0 {
		f, err := next(b)
		if err != nil {
			return malformed("", err)
		}
		b = b[f.size:]
		if !f.is(requestBatch) {
			m.size.OtherBytes += int64(f.size)
			continue
		}
		if err := m.batch(f.value); err != nil {
			return err
		}
	}
	return nil
}

func (m *measurer) batch(b []byte) error {
	for len(b) > 0 {
		if value, size := short(b, tagCommand); size > 0 {
			b = b[size:]
			m.size.CommandBytes += int64(size)
			if err := m.command(value); err != nil {
				return malformed(commandField(m.size.Commands), err)
			}
			m.size.Commands++
			continue
		}
		f, err := next(b)
		if err != nil {
			return malformed("batch", err)
		}
		b = b[f.size:]
		if !f.is(batchCommands) {
			if f.num == batchAtomic && f.typ == protowire.VarintType {
				m.size.Atomic = f.number != 0
			}
			m.size.OtherBytes += int64(f.size)
			continue
		}
		m.size.CommandBytes += int64(f.size)
		if err := m.command(f.value); err != nil {
			return malformed(commandField(m.size.Commands), err)
		}
		m.size.Commands++
	}
	return nil
}

func (m *measurer) command(b []byte) error {
	var args, texts int
	for len(b) > 0 {
		if value, size := short(b, tagArgs); size > 0 {
			m.argument(value, false, args)
			args++
			b = b[size:]
			continue
		}
		if value, size := short(b, tagText); size > 0 {
			m.argument(value, true, texts)
			texts++
			b = b[size:]
			continue
		}
		f, err := next(b)
		if err != nil {
			return err
		}
		b = b[f.size:]
		switch {
		case f.is(commandArgs):
			m.argument(f.value, false, args)
			args++
		case f.is(commandText):
			m.argument(f.value, true, texts)
			texts++
		}
	}
	m.size.Arguments += args + texts
	return nil
}

func (m *measurer) argument(value []byte, text bool, index int) {
	m.size.ArgumentBytes += int64(len(value))
	if len(value) > m.size.Longest.Bytes {
		m.size.Longest = Argument{Command: m.size.Commands, Index: index, Text: text, Bytes: len(value)}
	}
}
