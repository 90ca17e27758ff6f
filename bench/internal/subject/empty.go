package subject

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/valkeybatch/valkeybatch/bench/internal/workload"
)

// EmptyMethod is a unary method that does nothing: what gRPC itself costs. The service's
// process has it on a plain gRPC server of its own, with grpc-go's defaults.
const EmptyMethod = "/valkeybatch.bench.Empty/Call"

var empty = &Subject{
	Name: "empty", Title: "empty gRPC call", Needs: Service, SingleOnly: true,
	New: func(c Config) (Client, error) {
		conn, err := dial(c.Target.Empty)
		return emptyClient{conn}, err
	},
}

type emptyClient struct{ conn *grpc.ClientConn }

func (c emptyClient) Close() { _ = c.conn.Close() }

func (c emptyClient) Caller() (Caller, error) { return c, nil }

func (c emptyClient) Do([]workload.Op) error {
	return c.conn.Invoke(context.Background(), EmptyMethod, &emptypb.Empty{}, &emptypb.Empty{})
}
