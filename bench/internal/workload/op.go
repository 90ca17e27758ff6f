// Package workload is what callers ask for: the commands of a scenario, the data that they
// find, and how their replies are checked. All subjects are given the same.
package workload

import "fmt"

// Kind is a command.
type Kind uint8

// The commands that scenarios are made of.
const (
	Get Kind = iota
	Set
	Incr
	HSet
	MGet
)

// Names of the commands as they are sent.
var names = [...]string{Get: "GET", Set: "SET", Incr: "INCR", HSet: "HSET", MGet: "MGET"}

func (k Kind) String() string { return names[k] }

// Field is the field that every HSET sets.
const Field = "field"

// Op is one command. Keys and values are there as strings and as bytes, so that no subject
// pays for a conversion that its callers would not need.
type Op struct {
	Kind       Kind
	Key        string
	Value      string // what SET and HSET write, and what GET must find
	KeyBytes   []byte
	ValueBytes []byte
	Keys       []string // of MGET, instead of Key
	KeysBytes  [][]byte
	Values     []string // of MGET, instead of Value
}

// Units is how much work the command counts as: its keys.
func (o *Op) Units() int {
	if o.Kind == MGet {
		return len(o.Keys)
	}
	return 1
}

// deep says which of a batch's values are compared byte by byte; of the others only the
// length is. So nobody wins by wrong replies, and the check costs a few nanoseconds.
func deep(i int) bool { return i&15 == 0 }

// CheckValue checks the i-th reply of a batch, the value of a GET.
func (o *Op) CheckValue(i int, got string) error {
	return checkValue(i, got, o.Value)
}

// CheckValueBytes is CheckValue for those who read replies as bytes.
func (o *Op) CheckValueBytes(i int, got []byte) error {
	return checkBytes(i, got, o.Value)
}

// CheckElement checks element j of the i-th reply of a batch, an MGET.
func (o *Op) CheckElement(i, j int, got string) error {
	return checkValue(i+j, got, o.Values[j])
}

// CheckElementBytes is CheckElement for those who read replies as bytes.
func (o *Op) CheckElementBytes(i, j int, got []byte) error {
	return checkBytes(i+j, got, o.Values[j])
}

func checkValue(i int, got, want string) error {
	if len(got) != len(want) || deep(i) && got != want {
		return wrongValue(i, len(got), len(want))
	}
	return nil
}

func checkBytes(i int, got []byte, want string) error {
	if len(got) != len(want) || deep(i) && string(got) != want {
		return wrongValue(i, len(got), len(want))
	}
	return nil
}

func wrongValue(i, got, want int) error {
	return fmt.Errorf("command %d: a wrong value of %d bytes instead of one of %d", i, got, want)
}

// CheckOK checks the reply of a SET.
func (o *Op) CheckOK(i int, got string) error {
	if got != "OK" {
		return fmt.Errorf("command %d (%s): got %q instead of OK", i, o.Kind, got)
	}
	return nil
}

// CheckInteger checks the reply of an INCR, which counts from 1, or of an HSET, which says
// how many fields are new.
func (o *Op) CheckInteger(i int, got int64) error {
	if o.Kind == Incr && got < 1 || o.Kind == HSet && (got < 0 || got > 1) {
		return fmt.Errorf("command %d (%s): got %d", i, o.Kind, got)
	}
	return nil
}

// Wrong is the error for a reply of another kind than the command's.
func (o *Op) Wrong(i int, got any) error {
	return fmt.Errorf("command %d (%s): got %T %.100v", i, o.Kind, got, got)
}
