package main

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"

	glide "github.com/valkey-io/valkey-glide/go/v2"
	"github.com/valkey-io/valkey-glide/go/v2/config"
	"github.com/valkey-io/valkey-glide/go/v2/models"
	"github.com/valkey-io/valkey-glide/go/v2/pipeline"

	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
)

// glideMaker is GLIDE's Go client with its defaults, one for all callers.
var glideMaker = subject.Maker{
	Traits: subject.Traits{Name: "GLIDE Go"},
	Start: func(_ context.Context, o subject.Options) (subject.Subject, error) {
		if o.Cluster {
			c := config.NewClusterClientConfiguration()
			for _, seed := range o.Seeds {
				addr, err := address(seed)
				if err != nil {
					return nil, err
				}
				c.WithAddress(addr)
			}
			client, err := glide.NewClusterClient(c)
			return cluster{client}, err
		}
		addr, err := address(o.Seeds[0])
		if err != nil {
			return nil, err
		}
		client, err := glide.NewClient(config.NewClientConfiguration().WithAddress(addr))
		return alone{client}, err
	},
}

func address(seed string) (*config.NodeAddress, error) {
	host, port, err := net.SplitHostPort(seed)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(port)
	return &config.NodeAddress{Host: host, Port: n}, err
}

type cluster struct{ client *glide.ClusterClient }

// Close implements [subject.Subject].
func (c cluster) Close() error { c.client.Close(); return nil }

// Execute implements [subject.Subject].
func (c cluster) Execute(ctx context.Context, b subject.Batch) ([]subject.Result, *subject.Failure) {
	batch := pipeline.NewClusterBatch(b.Atomic)
	for _, line := range b.Commands {
		batch.CustomCommand(line)
	}
	o := pipeline.NewClusterBatchOptions().WithTimeout(b.Timeout)
	if b.RetryServer || b.RetryConnection {
		o.WithRetryStrategy(*pipeline.NewClusterBatchRetryStrategy().WithRetryServerError(b.RetryServer).WithRetryConnectionError(b.RetryConnection))
	}
	replies, err := c.client.ExecWithOptions(ctx, *batch, false, *o)
	return results(b, replies, err)
}

// alone has no retries: GLIDE has none for standalone servers.
type alone struct{ client *glide.Client }

// Close implements [subject.Subject].
func (a alone) Close() error { a.client.Close(); return nil }

// Execute implements [subject.Subject].
func (a alone) Execute(ctx context.Context, b subject.Batch) ([]subject.Result, *subject.Failure) {
	batch := pipeline.NewStandaloneBatch(b.Atomic)
	for _, line := range b.Commands {
		batch.CustomCommand(line)
	}
	replies, err := a.client.ExecWithOptions(ctx, *batch, false, *pipeline.NewStandaloneBatchOptions().WithTimeout(b.Timeout))
	return results(b, replies, err)
}

func results(b subject.Batch, replies []any, err error) ([]subject.Result, *subject.Failure) {
	if err != nil {
		return nil, failure(err)
	}
	out := make([]subject.Result, len(replies))
	for i, r := range replies {
		if failed, ok := r.(error); ok {
			out[i].Err = commandError(failed.Error())
			if i < len(b.Commands) && b.Commands[i][0] == "MSET" && out[i].Err.Outcome == subject.NotExecuted {
				out[i].Err.Outcome = subject.Failed // of a command that was split, other parts may have run
			}
			continue
		}
		out[i].Reply = reply(r)
	}
	return out, nil
}

func reply(r any) any {
	switch r := r.(type) {
	case models.Result[string]:
		if r.IsNil() {
			return nil
		}
		return r.Value()
	case []models.Result[string]:
		all := make([]any, len(r))
		for i := range r {
			all[i] = reply(r[i])
		}
		return all
	case []any:
		all := make([]any, len(r))
		for i := range r {
			all[i] = reply(r[i])
		}
		return all
	}
	return r
}

// refusals are the words by which a server's refusal is known in GLIDE's text.
var refusals = map[string]string{
	"TRYAGAIN": "TRYAGAIN", "CLUSTERDOWN": "CLUSTERDOWN", "ClusterDown": "CLUSTERDOWN", "LOADING": "LOADING", "BusyLoading": "LOADING",
	"MASTERDOWN": "MASTERDOWN", "READONLY": "READONLY", "ReadOnly": "READONLY", "OOM": "OOM", "MOVED": "MOVED", "Moved": "MOVED",
	"ASK": "ASK", "TryAgain": "TRYAGAIN", "MasterDown": "MASTERDOWN", "CROSSSLOT": "CROSSSLOT", "CrossSlot": "CROSSSLOT",
}

// commandError makes the best of a text: GLIDE does not say what is known of the effects.
func commandError(text string) *subject.Error {
	if strings.Contains(text, "UNBLOCKED") {
		return &subject.Error{Code: "UNBLOCKED", Message: text, Outcome: subject.Failed}
	}
	for word, code := range refusals {
		if strings.Contains(text, word) {
			return &subject.Error{Code: code, Message: text, Outcome: subject.NotExecuted}
		}
	}
	return &subject.Error{Code: "CONNECTION", Message: text, Outcome: subject.Unknown}
}

func failure(err error) *subject.Failure {
	f := &subject.Failure{Status: "error", Message: err.Error(), Outcome: subject.Unknown}
	var late *glide.TimeoutError
	var aborted *glide.ExecAbortError
	switch {
	case errors.As(err, &late), errors.Is(err, context.DeadlineExceeded):
		f.Status, f.Late = "timeout", true
	case errors.As(err, &aborted):
		f.Status, f.Outcome = "EXECABORT", subject.NotExecuted
	default:
		if e := commandError(err.Error()); e.Outcome == subject.NotExecuted {
			f.Status, f.Outcome = e.Code, subject.NotExecuted
		}
	}
	return f
}
