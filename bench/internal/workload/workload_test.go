package workload

import (
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

func TestOpsAreWholeBatches(t *testing.T) {
	for _, s := range []Spec{
		{Commands: "get", Batch: 1, Size: 16},
		{Commands: "set", Batch: 300, Size: 16, Keys: 1_000},
		{Commands: "mix", Batch: 7, Size: 64 << 10},
		{Commands: "mget", Batch: 3, PerMGet: 70, Size: 16},
		{Commands: "mix", Batch: 10, Size: 16, Atomic: true, Keys: 100},
	} {
		if err := s.Validate(); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
		ops := s.Ops()
		if len(ops) == 0 || len(ops)%s.Batch != 0 {
			t.Errorf("%+v: %d commands", s, len(ops))
		}
	}
}

func TestEveryKeyThatIsReadIsLoaded(t *testing.T) {
	for _, s := range []Spec{
		{Commands: "mix", Batch: 12, Size: 20, Keys: 100},
		{Commands: "mget", Batch: 2, PerMGet: 5, Size: 20, Keys: 100},
		{Commands: "get", Batch: 5, Size: 20, Keys: 100, Atomic: true},
	} {
		loaded := map[string]string{}
		for _, op := range s.Load() {
			loaded[op.Key] = op.Value
		}
		for _, op := range s.Ops() {
			if op.Kind == Get && loaded[op.Key] != op.Value {
				t.Errorf("%+v: %s holds %q, not %q", s, op.Key, loaded[op.Key], op.Value)
			}
			for i, key := range op.Keys {
				if loaded[key] != op.Values[i] || len(op.Values[i]) != s.Size {
					t.Errorf("%+v: %s holds %q, not %q", s, key, loaded[key], op.Values[i])
				}
			}
		}
	}
}

func TestValuesDifferAndHaveTheirSize(t *testing.T) {
	s := Spec{Size: 100}
	if a, b := s.value(1), s.value(2); a == b || len(a) != 100 || len(b) != 100 {
		t.Errorf("the values are %q and %q", a, b)
	}
}

func TestAtomicBatchesShareASlot(t *testing.T) {
	s := Spec{Commands: "mix", Batch: 8, Size: 16, Keys: 64, Atomic: true}
	ops := s.Ops()
	for i, op := range ops {
		first := ops[i/s.Batch*s.Batch]
		if slotmap.Slot(op.KeyBytes) != slotmap.Slot(first.KeyBytes) {
			t.Errorf("%s and %s lie in different slots", op.Key, first.Key)
		}
	}
}

func TestDatasetsAreToldApart(t *testing.T) {
	a := Spec{Commands: "get", Batch: 10, Size: 16, Keys: 100}
	same := Spec{Commands: "set", Batch: 20, Size: 16, Keys: 100}
	if a.Dataset() != same.Dataset() {
		t.Errorf("%q and %q are the same data", a.Dataset(), same.Dataset())
	}
	for _, other := range []Spec{
		{Commands: "get", Batch: 10, Size: 17, Keys: 100},
		{Commands: "get", Batch: 10, Size: 16, Keys: 200},
		{Commands: "get", Batch: 10, Size: 16, Keys: 100, Atomic: true},
	} {
		if a.Dataset() == other.Dataset() {
			t.Errorf("%+v has the name of other data: %q", other, other.Dataset())
		}
	}
}

func TestCursorsBeginApartAndGoAround(t *testing.T) {
	ops := Spec{Commands: "get", Batch: 2, Size: 8, Keys: 8}.Ops()
	first, second := NewCursor(ops, 2, 0, 2), NewCursor(ops, 2, 1, 2)
	var order []string
	for range 5 {
		order = append(order, first.Next()[0].Key)
	}
	if got, want := strings.Join(order, " "), "key:0 key:2 key:4 key:6 key:0"; got != want {
		t.Errorf("the first caller's batches begin with %s, want %s", got, want)
	}
	if got := second.Next()[0].Key; got != "key:4" {
		t.Errorf("the second caller begins with %s", got)
	}
}

func TestChecksFindWrongReplies(t *testing.T) {
	op := Spec{Commands: "get", Batch: 1, Size: 16}.op(Get, 0)
	other := Spec{Commands: "get", Batch: 1, Size: 16}.op(Get, 1)
	if err := op.CheckValue(0, op.Value); err != nil {
		t.Error(err)
	}
	if op.CheckValue(1, "short") == nil {
		t.Error("a value of another length passed")
	}
	if op.CheckValue(0, other.Value) == nil || op.CheckValueBytes(16, other.ValueBytes) == nil {
		t.Error("another value passed where values are compared")
	}
	if op.CheckOK(0, "QUEUED") == nil {
		t.Error("QUEUED passed for OK")
	}
	incr := Op{Kind: Incr}
	if incr.CheckInteger(0, 0) == nil {
		t.Error("0 passed as an incremented number")
	}
}

func TestValidateRefuses(t *testing.T) {
	for _, s := range []Spec{
		{Commands: "nothing", Batch: 1, Size: 16},
		{Commands: "get", Batch: 0, Size: 16},
		{Commands: "get", Batch: 1, Size: 7},
		{Commands: "mget", Batch: 1, Size: 16},
		{Commands: "get", Batch: 1, Size: 16, PerMGet: 5},
		{Commands: "mget", Batch: 1, Size: 16, PerMGet: 5, Atomic: true},
	} {
		if s.Validate() == nil {
			t.Errorf("%+v is valid", s)
		}
	}
}
