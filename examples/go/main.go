// Command go is a tour of valkeybatch from Go: it runs against a server in front of a cluster
// (make cluster) and prints a line for each thing it shows.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

func main() {
	address := cmp.Or(os.Getenv("VALKEYBATCH_ADDRESS"), "127.0.0.1:7400")
	if err := run(context.Background(), address); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address string) error {
	// One connection serves the whole program: all calls share it, from any goroutine.
	conn, err := dial(address)
	if err != nil {
		return err
	}
	defer conn.Close()
	client := valkeybatchv1.NewBatchServiceClient(conn)

	// A call without a deadline waits for as long as the server lets it: give each one.
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()

	for _, step := range []func(context.Context, valkeybatchv1.BatchServiceClient) error{
		pipeline, atomic, errorsInPlace, errorRaised, requestRefused, retryStrategy, binary, deadline, stream,
	} {
		if err := step(ctx, client); err != nil {
			return err
		}
	}
	return nil
}

// command is a command of text arguments. Those of other types are for the caller to write
// as text, as Valkey wants them: strconv.Itoa, not four bytes.
func command(args ...string) *valkeybatchv1.Command {
	c := &valkeybatchv1.Command{}
	for _, a := range args {
		c.Args = append(c.Args, []byte(a))
	}
	return c
}

// pipeline shows commands on keys of any slots in one batch: they go to all nodes at once, and
// MSET and MGET are split between them.
func pipeline(ctx context.Context, client valkeybatchv1.BatchServiceClient) error {
	resp, err := client.ExecuteBatch(ctx, &valkeybatchv1.ExecuteBatchRequest{
		Batch: &valkeybatchv1.Batch{Commands: []*valkeybatchv1.Command{
			command("DEL", "go:count", "go:user"),
			command("MSET", "go:a", "1", "go:b", "2", "go:c", "3"),
			command("MGET", "go:c", "go:b", "go:a", "go:nothing"),
			command("INCRBY", "go:count", "9007199254740993"),
			command("HSET", "go:user", "name", "Ada", "born", "1815"),
			command("HGETALL", "go:user"),
		}},
	})
	if err != nil {
		return err
	}
	// OK says that the batch was carried out, not that each command succeeded.
	if n := resp.GetFailedCount(); n > 0 {
		return fmt.Errorf("%d commands of the pipeline failed", n)
	}
	r := resp.GetResults() // one per command, in their order
	fmt.Printf("pipeline: %s, %s, %s, %s\n", show(r[1]), show(r[2]), show(r[3]), show(r[5]))
	return nil
}

// atomic shows MULTI/EXEC: on a cluster all keys must share a slot, as those with the same
// {hash tag} do.
func atomic(ctx context.Context, client valkeybatchv1.BatchServiceClient) error {
	resp, err := client.ExecuteBatch(ctx, &valkeybatchv1.ExecuteBatchRequest{
		Batch: &valkeybatchv1.Batch{IsAtomic: true, Commands: []*valkeybatchv1.Command{
			command("DEL", "go:{order}:count"),
			command("SET", "go:{order}:1", "paid"),
			command("INCR", "go:{order}:count"),
			command("GET", "go:{order}:1"),
		}},
	})
	if err != nil {
		return err
	}
	r := resp.GetResults()
	fmt.Printf("atomic: %s, %s, %s\n", show(r[1]), show(r[2]), show(r[3]))
	return nil
}

// wrongType is a batch of which one command fails: LPOP wants a list.
func wrongType() *valkeybatchv1.Batch {
	return &valkeybatchv1.Batch{Commands: []*valkeybatchv1.Command{
		command("SET", "go:text", "hello"),
		command("LPOP", "go:text"),
		command("GET", "go:text"),
	}}
}

// errorsInPlace shows a command's error among the results: the others succeeded.
func errorsInPlace(ctx context.Context, client valkeybatchv1.BatchServiceClient) error {
	resp, err := client.ExecuteBatch(ctx, &valkeybatchv1.ExecuteBatchRequest{Batch: wrongType()})
	if err != nil {
		return err
	}
	fmt.Printf("errors in place: %d of %d failed", resp.GetFailedCount(), len(resp.GetResults()))
	for i, result := range resp.GetResults() {
		// The outcome says what may be sent again: OUTCOME_NOT_EXECUTED anything;
		// OUTCOME_FAILED and OUTCOME_UNKNOWN only what may take effect twice.
		if e := result.GetErrorValue(); e != nil {
			fmt.Printf(": command %d with %s, %v", i, e.GetCode(), e.GetOutcome())
		}
	}
	fmt.Println()
	return nil
}

// failure returns the ErrorInfo of a call that is to fail. It gives an error where the call succeeded,
// and the call's own where that is not from the service: the batch may have run then.
func failure(callErr error) (*errdetails.ErrorInfo, error) {
	if callErr == nil {
		return nil, errors.New("a call succeeded that was to fail")
	}
	info := errorInfo(callErr)
	if info == nil {
		return nil, callErr
	}
	return info, nil
}

// errorRaised shows the same batch with raise_on_error: the call fails with the first error.
// The other commands ran all the same; their results are dropped.
func errorRaised(ctx context.Context, client valkeybatchv1.BatchServiceClient) error {
	_, callErr := client.ExecuteBatch(ctx, &valkeybatchv1.ExecuteBatchRequest{Batch: wrongType(), RaiseOnError: true})
	info, err := failure(callErr)
	if err != nil {
		return err
	}
	m := info.GetMetadata()
	fmt.Printf("error raised: %s, %s: command %s (%s) with %s, %s\n",
		codeName(status.Code(callErr)), info.GetReason(), m["index"], m["command"], m["code"], m["outcome"])
	return nil
}

// requestRefused shows a request that is wrong: nothing of it is sent, and a BadRequest names
// the field. Here the keys of an atomic batch lie in two slots.
func requestRefused(ctx context.Context, client valkeybatchv1.BatchServiceClient) error {
	_, callErr := client.ExecuteBatch(ctx, &valkeybatchv1.ExecuteBatchRequest{
		Batch: &valkeybatchv1.Batch{IsAtomic: true, Commands: []*valkeybatchv1.Command{
			command("SET", "go:a", "1"), command("SET", "go:b", "2"),
		}},
	})
	if _, err := failure(callErr); err != nil {
		return err
	}
	fmt.Printf("request refused: %s\n", showStatus(status.Convert(callErr)))
	return nil
}

// retryStrategy shows a pipeline that waits out a failover: commands that a node refuses for a
// passing condition are retried until the timeout nears. What a lost connection left
// unanswered is not: retry_connection_error would resend it, and it might run twice.
func retryStrategy(ctx context.Context, client valkeybatchv1.BatchServiceClient) error {
	resp, err := client.ExecuteBatch(ctx, &valkeybatchv1.ExecuteBatchRequest{
		Batch: &valkeybatchv1.Batch{Commands: []*valkeybatchv1.Command{
			command("SET", "go:kept", "kept"), command("GET", "go:kept"),
		}},
		// StandaloneOptions in front of a standalone server; no options at all fit both.
		Options: &valkeybatchv1.ExecuteBatchRequest_ClusterOptions{ClusterOptions: &valkeybatchv1.ClusterBatchOptions{
			Timeout:       durationpb.New(20 * time.Second),
			RetryStrategy: &valkeybatchv1.BatchRetryStrategy{RetryServerError: true},
		}},
	})
	if err != nil {
		return err
	}
	r := resp.GetResults()
	fmt.Printf("retry strategy: %s, %s\n", show(r[0]), show(r[1]))
	return nil
}

// binary shows that args and bytes_value take any bytes, text or not.
func binary(ctx context.Context, client valkeybatchv1.BatchServiceClient) error {
	value := []byte{0x00, 0xff, 0x80, 0xc3, 0x28} // no valid UTF-8
	resp, err := client.ExecuteBatch(ctx, &valkeybatchv1.ExecuteBatchRequest{
		Batch: &valkeybatchv1.Batch{Commands: []*valkeybatchv1.Command{
			{Args: [][]byte{[]byte("SET"), []byte("go:binary"), value}},
			command("GET", "go:binary"),
		}},
	})
	if err != nil {
		return err
	}
	fmt.Printf("binary: %x\n", resp.GetResults()[1].GetBytesValue())
	return nil
}

// deadline shows the end of a batch's own timeout, which is to be a little below the call's
// deadline: then the status comes from the service and says how far the batch got. What was
// sent and not answered may have taken effect.
func deadline(ctx context.Context, client valkeybatchv1.BatchServiceClient) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	_, callErr := client.ExecuteBatch(ctx, &valkeybatchv1.ExecuteBatchRequest{
		Batch: &valkeybatchv1.Batch{Commands: []*valkeybatchv1.Command{command("BLPOP", "go:nothing", "0")}},
		Options: &valkeybatchv1.ExecuteBatchRequest_ClusterOptions{ClusterOptions: &valkeybatchv1.ClusterBatchOptions{
			Timeout: durationpb.New(300 * time.Millisecond),
		}},
	})
	info, err := failure(callErr)
	if err != nil {
		return err
	}
	fmt.Printf("deadline: %s, %s: %s of %s answered\n",
		codeName(status.Code(callErr)), info.GetReason(), info.GetMetadata()["answered"], info.GetMetadata()["total"])
	return nil
}

// stream shows many batches on one stream: each is answered as it completes, in any order, with
// the id that it was given, and fails alone.
func stream(ctx context.Context, client valkeybatchv1.BatchServiceClient) error {
	s, err := client.StreamBatches(ctx)
	if err != nil {
		return err
	}
	// A few can all be sent before the first answer is read. With many, send from a goroutine
	// of its own: when answers are not read, Send blocks.
	for i, batch := range []*valkeybatchv1.Batch{
		{Commands: []*valkeybatchv1.Command{command("ECHO", "one")}},
		{}, // wrong: a pipeline needs a command
		{Commands: []*valkeybatchv1.Command{command("BITCOUNT", "go:a")}},
	} {
		request := &valkeybatchv1.StreamBatchesRequest{
			Id: uint64(i + 1), Request: &valkeybatchv1.ExecuteBatchRequest{Batch: batch}}
		if err := s.Send(request); err != nil && err != io.EOF { // io.EOF: Recv says why
			return err
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	var answers []*valkeybatchv1.StreamBatchesResponse
	for {
		answer, err := s.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err // batches without an answer may have run
		}
		answers = append(answers, answer)
	}
	slices.SortFunc(answers, func(a, b *valkeybatchv1.StreamBatchesResponse) int { return cmp.Compare(a.GetId(), b.GetId()) })
	for _, answer := range answers {
		if failure := answer.GetError(); failure != nil {
			fmt.Printf("stream: batch %d failed: %s\n", answer.GetId(), showStatus(statusOf(failure)))
			continue
		}
		var results []string
		for _, r := range answer.GetResponse().GetResults() {
			results = append(results, show(r))
		}
		fmt.Printf("stream: batch %d gave %s\n", answer.GetId(), strings.Join(results, ", "))
	}
	return nil
}
