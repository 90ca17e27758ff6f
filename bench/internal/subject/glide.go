package subject

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	glide "github.com/valkey-io/valkey-glide/go/v2"
	"github.com/valkey-io/valkey-glide/go/v2/config"
	"github.com/valkey-io/valkey-glide/go/v2/models"
	"github.com/valkey-io/valkey-glide/go/v2/pipeline"

	"github.com/valkeybatch/valkeybatch/bench/internal/workload"
)

var glideGo = &Subject{Name: "glide", Title: "GLIDE Go", New: newGlide}

// glideTimeout is well above what any batch takes; GLIDE's own 250 ms is below it.
const glideTimeout = 20 * time.Second

func newGlide(c Config) (Client, error) {
	if c.Target.Cluster {
		return newGlideCluster(c)
	}
	return newGlideStandalone(c)
}

func nodeAddress(addr string) (*config.NodeAddress, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	return &config.NodeAddress{Host: host, Port: number}, err
}

// glideStandalone is GLIDE's client for standalone servers. One client is made for many
// callers: it sends what all of them have over one connection.
type glideStandalone struct {
	client *glide.Client
	atomic bool
}

func newGlideStandalone(c Config) (Client, error) {
	addr, err := nodeAddress(c.Target.Nodes[0])
	if err != nil {
		return nil, err
	}
	client, err := glide.NewClient(config.NewClientConfiguration().WithAddress(addr).WithRequestTimeout(glideTimeout))
	return glideStandalone{client, c.Atomic}, err
}

func (c glideStandalone) Close() { c.client.Close() }

func (c glideStandalone) Caller() (Caller, error) { return c, nil }

func (c glideStandalone) Do(batch []workload.Op) error {
	if glideIsSingle(batch, c.atomic) {
		return glideSingle(c.client, &batch[0])
	}
	b := pipeline.NewStandaloneBatch(c.atomic)
	glideFill(&b.BaseBatch, batch)
	replies, err := c.client.Exec(context.Background(), *b, true)
	if err != nil {
		return err
	}
	return glideCheck(batch, replies)
}

// glideCluster is GLIDE's client for clusters, one for all callers as well.
type glideCluster struct {
	client *glide.ClusterClient
	atomic bool
}

func newGlideCluster(c Config) (Client, error) {
	cfg := config.NewClusterClientConfiguration().WithRequestTimeout(glideTimeout)
	for _, node := range c.Target.Nodes {
		addr, err := nodeAddress(node)
		if err != nil {
			return nil, err
		}
		cfg.WithAddress(addr)
	}
	client, err := glide.NewClusterClient(cfg)
	return glideCluster{client, c.Atomic}, err
}

func (c glideCluster) Close() { c.client.Close() }

func (c glideCluster) Caller() (Caller, error) { return c, nil }

func (c glideCluster) Do(batch []workload.Op) error {
	if glideIsSingle(batch, c.atomic) {
		return glideSingle(c.client, &batch[0])
	}
	b := pipeline.NewClusterBatch(c.atomic)
	glideFill(&b.BaseBatch, batch)
	replies, err := c.client.Exec(context.Background(), *b, true)
	if err != nil {
		return err
	}
	return glideCheck(batch, replies)
}

// glideIsSingle says whether the batch is a command that is better sent by its own call. An
// MGET of keys in many slots is not: as a call it becomes a request a slot, which time out in
// thousands, and as a batch it does not.
func glideIsSingle(batch []workload.Op, atomic bool) bool {
	return len(batch) == 1 && !atomic && batch[0].Kind != workload.MGet
}

// glideCommands are the calls for single commands, which both clients have.
type glideCommands interface {
	Get(ctx context.Context, key string) (models.Result[string], error)
	Set(ctx context.Context, key, value string) (string, error)
	Incr(ctx context.Context, key string) (int64, error)
	HSet(ctx context.Context, key string, values map[string]string) (int64, error)
}

// glideSingle sends a command of its own.
func glideSingle(client glideCommands, op *workload.Op) error {
	ctx := context.Background()
	var reply any
	var err error
	switch op.Kind {
	case workload.Get:
		var value models.Result[string]
		value, err = client.Get(ctx, op.Key)
		reply = value.Value()
	case workload.Set:
		reply, err = client.Set(ctx, op.Key, op.Value)
	case workload.Incr:
		reply, err = client.Incr(ctx, op.Key)
	case workload.HSet:
		reply, err = client.HSet(ctx, op.Key, map[string]string{workload.Field: op.Value})
	}
	if err != nil {
		return err
	}
	return glideCheckOne(op, 0, reply)
}

func glideFill[T pipeline.StandaloneBatch | pipeline.ClusterBatch](b *pipeline.BaseBatch[T], batch []workload.Op) {
	for i := range batch {
		op := &batch[i]
		switch op.Kind {
		case workload.Get:
			b.Get(op.Key)
		case workload.Set:
			b.Set(op.Key, op.Value)
		case workload.Incr:
			b.Incr(op.Key)
		case workload.HSet:
			b.HSet(op.Key, map[string]string{workload.Field: op.Value})
		case workload.MGet:
			b.MGet(op.Keys)
		}
	}
}

func glideCheck(batch []workload.Op, replies []any) error {
	if len(replies) != len(batch) {
		return fmt.Errorf("got %d replies for %d commands", len(replies), len(batch))
	}
	for i := range batch {
		if err := glideCheckOne(&batch[i], i, replies[i]); err != nil {
			return err
		}
	}
	return nil
}

func glideCheckOne(op *workload.Op, i int, reply any) error {
	switch reply := reply.(type) {
	case string:
		switch op.Kind {
		case workload.Get:
			return op.CheckValue(i, reply)
		case workload.Set:
			return op.CheckOK(i, reply)
		}
	case int64:
		if op.Kind == workload.Incr || op.Kind == workload.HSet {
			return op.CheckInteger(i, reply)
		}
	case []models.Result[string]:
		if op.Kind == workload.MGet && len(reply) == len(op.Keys) {
			for j := range reply {
				if err := op.CheckElement(i, j, reply[j].Value()); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return op.Wrong(i, reply)
}
