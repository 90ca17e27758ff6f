package subject

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/valkeybatch/valkeybatch/bench/internal/workload"
)

var goRedis = &Subject{Name: "go-redis", Title: "go-redis", New: newGoRedis}

// goRedisTimeout is well above what any batch takes; go-redis's own 3 s is not.
const goRedisTimeout = 60 * time.Second

// goRedisClient is go-redis's client, one for all callers: each batch has a connection of
// its pool to itself.
type goRedisClient struct {
	client redis.UniversalClient
	atomic bool
}

func newGoRedis(c Config) (Client, error) {
	// As many connections as callers, so that nobody waits for one.
	pool := max(c.Callers, 10)
	if c.Target.Cluster {
		return goRedisClient{redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: c.Target.Nodes, PoolSize: pool, ReadTimeout: goRedisTimeout, WriteTimeout: goRedisTimeout,
		}), c.Atomic}, nil
	}
	return goRedisClient{redis.NewClient(&redis.Options{
		Addr: c.Target.Nodes[0], PoolSize: pool, ReadTimeout: goRedisTimeout, WriteTimeout: goRedisTimeout,
	}), c.Atomic}, nil
}

func (c goRedisClient) Close() { _ = c.client.Close() }

func (c goRedisClient) Caller() (Caller, error) { return c, nil }

func (c goRedisClient) Do(batch []workload.Op) error {
	ctx := context.Background()
	if len(batch) == 1 && !c.atomic {
		// A command of its own needs no pipeline.
		return goRedisCheck(&batch[0], 0, goRedisAdd(ctx, c.client, &batch[0]))
	}
	pipe := c.client.Pipeline()
	if c.atomic {
		pipe = c.client.TxPipeline()
	}
	for i := range batch {
		goRedisAdd(ctx, pipe, &batch[i])
	}
	replies, err := pipe.Exec(ctx)
	if err != nil {
		return err
	}
	for i := range batch {
		if err := goRedisCheck(&batch[i], i, replies[i]); err != nil {
			return err
		}
	}
	return nil
}

func goRedisAdd(ctx context.Context, to redis.Cmdable, op *workload.Op) redis.Cmder {
	switch op.Kind {
	case workload.Get:
		return to.Get(ctx, op.Key)
	case workload.Set:
		return to.Set(ctx, op.Key, op.Value, 0)
	case workload.Incr:
		return to.Incr(ctx, op.Key)
	case workload.HSet:
		return to.HSet(ctx, op.Key, workload.Field, op.Value)
	default:
		return to.MGet(ctx, op.Keys...)
	}
}

func goRedisCheck(op *workload.Op, i int, reply redis.Cmder) error {
	if err := reply.Err(); err != nil {
		return err
	}
	switch reply := reply.(type) {
	case *redis.StringCmd:
		return op.CheckValue(i, reply.Val())
	case *redis.StatusCmd:
		return op.CheckOK(i, reply.Val())
	case *redis.IntCmd:
		return op.CheckInteger(i, reply.Val())
	case *redis.SliceCmd:
		if values := reply.Val(); len(values) == len(op.Keys) {
			for j, value := range values {
				text, _ := value.(string)
				if err := op.CheckElement(i, j, text); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return op.Wrong(i, reply)
}
