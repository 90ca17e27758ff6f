package subject

import (
	"context"
	"math"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/valkeybatch/valkeybatch/bench/internal/workload"
	pb "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

var unary = &Subject{
	Name: "unary", Title: "valkeybatch, unary", Needs: Service,
	New: func(c Config) (Client, error) { return newUnary(c, c.Target.TCP) },
}

var metrics = &Subject{
	Name: "metrics", Title: "valkeybatch, unary, with metrics", Needs: Service, Observed: Metrics,
	New: unary.New,
}

var traces = &Subject{
	Name: "traces", Title: "valkeybatch, unary, with metrics and traces of 1 %", Needs: Service, Observed: Traces,
	New: unary.New,
}

var unixSocket = &Subject{
	Name: "unix", Title: "valkeybatch, unix socket", Needs: Service,
	New: func(c Config) (Client, error) { return newUnary(c, "unix://"+c.Target.Unix) },
}

// unaryClient is the generated client on one connection, and its every caller.
type unaryClient struct {
	conn   *grpc.ClientConn
	client pb.BatchServiceClient
	atomic bool
}

// dial connects as any caller would: the only thing that is not grpc-go's default is that
// large responses are allowed.
func dial(target string) (*grpc.ClientConn, error) {
	return grpc.NewClient(target,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)))
}

func newUnary(c Config, target string) (Client, error) {
	conn, err := dial(target)
	if err != nil {
		return nil, err
	}
	return &unaryClient{conn: conn, client: pb.NewBatchServiceClient(conn), atomic: c.Atomic}, nil
}

func (c *unaryClient) Close() { _ = c.conn.Close() }

func (c *unaryClient) Caller() (Caller, error) { return c, nil }

func (c *unaryClient) Do(batch []workload.Op) error {
	response, err := c.client.ExecuteBatch(context.Background(), request(batch, c.atomic))
	if err != nil {
		return err
	}
	return checkResponse(batch, response)
}
