package subject

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"google.golang.org/grpc"

	"github.com/valkeybatch/valkeybatch/bench/internal/workload"
	pb "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

var stream = &Subject{
	Name: "stream", Title: "valkeybatch, one stream", Needs: Service, New: newStream,
}

var streams = &Subject{
	Name: "streams", Title: "valkeybatch, own streams", Needs: Service, New: newStreams,
}

type batchStream = grpc.BidiStreamingClient[pb.StreamBatchesRequest, pb.StreamBatchesResponse]

// streamClient has one stream for all callers. Callers send one after the other; one
// goroutine receives, and hands each answer to the caller whose batch has its id.
type streamClient struct {
	conn     *grpc.ClientConn
	cancel   context.CancelFunc
	atomic   bool
	sending  sync.Mutex
	stream   batchStream
	callers  []*streamCaller // by id
	received sync.WaitGroup
}

func newStream(c Config) (Client, error) {
	conn, err := dial(c.Target.TCP)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s, err := pb.NewBatchServiceClient(conn).StreamBatches(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	client := &streamClient{conn: conn, cancel: cancel, atomic: c.Atomic, stream: s}
	for id := range c.Callers {
		client.callers = append(client.callers, &streamCaller{
			client: client, id: uint64(id), answers: make(chan answer, 1),
		})
	}
	client.received.Go(client.receive)
	return client, nil
}

// receive hands out the answers, and the stream's end to everybody.
func (c *streamClient) receive() {
	for {
		response, err := c.stream.Recv()
		if err != nil {
			for _, caller := range c.callers {
				caller.answers <- answer{err: err}
			}
			return
		}
		c.callers[response.GetId()].answers <- answer{response: response}
	}
}

func (c *streamClient) Close() {
	c.cancel()
	c.received.Wait()
	_ = c.conn.Close()
}

// Caller gives each caller an id of its own: it has one batch under way at a time.
func (c *streamClient) Caller() (Caller, error) {
	for _, caller := range c.callers {
		if !caller.taken {
			caller.taken = true
			return caller, nil
		}
	}
	return nil, fmt.Errorf("the stream was made for %d callers", len(c.callers))
}

type streamCaller struct {
	client  *streamClient
	id      uint64
	taken   bool
	answers chan answer
}

type answer struct {
	response *pb.StreamBatchesResponse
	err      error
}

func (c *streamCaller) Do(batch []workload.Op) error {
	message := &pb.StreamBatchesRequest{Id: c.id, Request: request(batch, c.client.atomic)}
	c.client.sending.Lock()
	err := c.client.stream.Send(message)
	c.client.sending.Unlock()
	if err != nil && !errors.Is(err, io.EOF) { // EOF: the stream has ended, and receiving tells why
		return err
	}
	a := <-c.answers
	if a.err != nil {
		return a.err
	}
	return checkAnswer(batch, a.response)
}

func checkAnswer(batch []workload.Op, response *pb.StreamBatchesResponse) error {
	if failed := response.GetError(); failed != nil {
		return fmt.Errorf("the batch failed with code %d: %s", failed.GetCode(), failed.GetMessage())
	}
	return checkResponse(batch, response.GetResponse())
}

// streamsClient has one connection for all callers, and a stream for each.
type streamsClient struct {
	conn   *grpc.ClientConn
	client pb.BatchServiceClient
	ctx    context.Context
	cancel context.CancelFunc
	atomic bool
}

func newStreams(c Config) (Client, error) {
	conn, err := dial(c.Target.TCP)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &streamsClient{conn, pb.NewBatchServiceClient(conn), ctx, cancel, c.Atomic}, nil
}

func (c *streamsClient) Close() {
	c.cancel()
	_ = c.conn.Close()
}

func (c *streamsClient) Caller() (Caller, error) {
	s, err := c.client.StreamBatches(c.ctx)
	return &streamsCaller{stream: s, atomic: c.atomic}, err
}

type streamsCaller struct {
	stream batchStream
	atomic bool
	id     uint64
}

func (c *streamsCaller) Do(batch []workload.Op) error {
	c.id++
	err := c.stream.Send(&pb.StreamBatchesRequest{Id: c.id, Request: request(batch, c.atomic)})
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	response, err := c.stream.Recv()
	if err != nil {
		return err
	}
	if response.GetId() != c.id {
		return fmt.Errorf("got the answer to batch %d instead of %d", response.GetId(), c.id)
	}
	return checkAnswer(batch, response)
}
