// Command service is the product's server with a door for the benchmark: it says on its
// descriptor 3 where it listens, and answers there each line of its standard input with what
// it has used so far. A line that names a file begins a CPU profile, which the next line ends.
// It ends when its standard input does.
//
// It is the same code as cmd/server (internal/config, internal/server), built with the same
// flags, without any peer in it. What is added is one more listener with an empty gRPC
// method on it, and nothing of it runs while the service is measured.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/valkeybatch/valkeybatch/bench/internal/proc"
	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/server"
)

// answersTo is the descriptor for answers.
const answersTo = 3

// startTimeout is how long the deployment may take to be reached.
const startTimeout = 20 * time.Second

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

// run takes the arguments of valkeybatch-server.
func run() error {
	command, err := config.Parse(os.Args[1:], "bench", config.Streams{Out: os.Stderr, Err: os.Stderr, Exit: os.Exit})
	if err != nil {
		return err
	}
	s, err := server.New(command.Serve, command.Serve.Logger(os.Stderr))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()

	emptyListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		emptyServer := newEmpty()
		defer emptyServer.Stop()
		go func() { _ = emptyServer.Serve(emptyListener) }()
		err = waitServing(s.Addrs()[0].String())
	}
	if err == nil {
		err = answer(map[string]string{"TCP": s.Addrs()[0].String(), "Empty": emptyListener.Addr().String()})
	}
	stop()
	if failed := <-ended; err == nil {
		err = failed
	}
	return err
}

// waitServing returns when the server says that the deployment is there.
func waitServing(addr string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		err := server.Healthcheck(ctx, &config.Healthcheck{Address: addr, Timeout: time.Second})
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// answer says where the server listens, and then, line by line, what it has used.
func answer(addresses map[string]string) error {
	out := json.NewEncoder(os.NewFile(answersTo, "answers"))
	if err := out.Encode(addresses); err != nil {
		return err
	}
	stop := func() error { return nil }
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var file string
		if err := json.Unmarshal(in.Bytes(), &file); err != nil {
			return err
		}
		sample, err := proc.Self()
		if err := errors.Join(err, stop()); err != nil {
			return err
		}
		if stop, err = proc.Profile(file); err != nil {
			return err
		}
		if err := out.Encode(sample); err != nil {
			return err
		}
	}
	return nil
}

// newEmpty returns a gRPC server with grpc-go's defaults and one method that does nothing.
func newEmpty() *grpc.Server {
	s := grpc.NewServer()
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "valkeybatch.bench.Empty",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Call", Handler: emptyCall}},
	}, struct{}{})
	return s
}

func emptyCall(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var request emptypb.Empty
	if err := decode(&request); err != nil {
		return nil, err
	}
	return &request, nil
}
