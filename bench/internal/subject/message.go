package subject

import (
	"fmt"

	"github.com/valkeybatch/valkeybatch/bench/internal/workload"
	pb "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// The commands' names as arguments.
var (
	getArg  = []byte("GET")
	setArg  = []byte("SET")
	incrArg = []byte("INCR")
	hsetArg = []byte("HSET")
	mgetArg = []byte("MGET")
	field   = []byte(workload.Field)
)

// request builds the batch's message anew, as a caller of the service does.
func request(batch []workload.Op, atomic bool) *pb.ExecuteBatchRequest {
	commands := make([]*pb.Command, len(batch))
	for i := range batch {
		op := &batch[i]
		var args [][]byte
		switch op.Kind {
		case workload.Get:
			args = [][]byte{getArg, op.KeyBytes}
		case workload.Set:
			args = [][]byte{setArg, op.KeyBytes, op.ValueBytes}
		case workload.Incr:
			args = [][]byte{incrArg, op.KeyBytes}
		case workload.HSet:
			args = [][]byte{hsetArg, op.KeyBytes, field, op.ValueBytes}
		case workload.MGet:
			args = make([][]byte, 1, 1+len(op.KeysBytes))
			args[0] = mgetArg
			args = append(args, op.KeysBytes...)
		}
		commands[i] = &pb.Command{Args: args}
	}
	return &pb.ExecuteBatchRequest{Batch: &pb.Batch{IsAtomic: atomic, Commands: commands}}
}

// checkResponse reads and checks every result.
func checkResponse(batch []workload.Op, response *pb.ExecuteBatchResponse) error {
	results := response.GetResults()
	if len(results) != len(batch) || response.GetFailedCount() != 0 {
		return fmt.Errorf("got %d results, %d of them errors, for %d commands", len(results), response.GetFailedCount(), len(batch))
	}
	for i := range batch {
		if err := checkResult(&batch[i], i, results[i]); err != nil {
			return err
		}
	}
	return nil
}

func checkResult(op *workload.Op, i int, result *pb.Value) error {
	switch kind := result.GetKind().(type) {
	case *pb.Value_BytesValue:
		if op.Kind == workload.Get {
			return op.CheckValueBytes(i, kind.BytesValue)
		}
	case *pb.Value_StringValue:
		if op.Kind == workload.Set {
			return op.CheckOK(i, kind.StringValue)
		}
	case *pb.Value_IntegerValue:
		if op.Kind == workload.Incr || op.Kind == workload.HSet {
			return op.CheckInteger(i, kind.IntegerValue)
		}
	case *pb.Value_ArrayValue:
		if elements := kind.ArrayValue.GetElements(); op.Kind == workload.MGet && len(elements) == len(op.Keys) {
			for j, e := range elements {
				if err := op.CheckElementBytes(i, j, e.GetBytesValue()); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return op.Wrong(i, result)
}
