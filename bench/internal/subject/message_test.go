package subject

import (
	"testing"

	"github.com/valkeybatch/valkeybatch/bench/internal/workload"
	pb "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

func TestRequestsHoldTheCommands(t *testing.T) {
	ops := workload.Spec{Commands: "mix", Batch: 8, Size: 16, Keys: 8}.Ops()
	commands := request(ops, true).GetBatch().GetCommands()
	if len(commands) != len(ops) {
		t.Fatalf("%d commands, want %d", len(commands), len(ops))
	}
	for i, op := range ops {
		args := commands[i].GetArgs()
		if string(args[0]) != op.Kind.String() || string(args[1]) != op.Key {
			t.Errorf("command %d is %q, want %s of %s", i, args, op.Kind, op.Key)
		}
		if op.Kind == workload.Set && string(args[2]) != op.Value {
			t.Errorf("command %d is %q", i, args)
		}
	}
}

func TestResponsesAreChecked(t *testing.T) {
	ops := workload.Spec{Commands: "get", Batch: 2, Size: 16, Keys: 2}.Ops()
	value := func(v string) *pb.Value { return &pb.Value{Kind: &pb.Value_BytesValue{BytesValue: []byte(v)}} }
	right := []*pb.Value{value(ops[0].Value), value(ops[1].Value)}
	if err := checkResponse(ops, &pb.ExecuteBatchResponse{Results: right}); err != nil {
		t.Error(err)
	}
	for name, response := range map[string]*pb.ExecuteBatchResponse{
		"too few":  {Results: right[:1]},
		"failed":   {Results: right, FailedCount: 1},
		"null":     {Results: []*pb.Value{right[0], {Kind: &pb.Value_NullValue{NullValue: true}}}},
		"no kind":  {Results: []*pb.Value{right[0], {}}},
		"swapped":  {Results: []*pb.Value{right[1], right[0]}},
		"too long": {Results: []*pb.Value{right[0], value(ops[1].Value + "x")}},
	} {
		if checkResponse(ops, response) == nil {
			t.Errorf("a response that is %s passed", name)
		}
	}
}
