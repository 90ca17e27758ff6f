package subject

import (
	"context"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/valkeybatch/valkeybatch/bench/internal/workload"
)

var valkeyGo = &Subject{Name: "valkey-go", Title: "valkey-go", New: newValkeyGo}

// valkeyGoTimeout bounds a write with all that waits before it; the library's own 10 s cut
// off long batches.
const valkeyGoTimeout = 60 * time.Second

// valkeyGoClient is valkey-go's client, one for all callers. Its cluster client splits a
// batch by slot and node itself. The defaults are left as they are but for the client-side
// cache, which no command here uses, and the timeout.
type valkeyGoClient struct {
	client  valkey.Client
	cluster bool
	atomic  bool
}

func newValkeyGo(c Config) (Client, error) {
	client, err := valkey.NewClient(valkey.ClientOption{
		InitAddress:       c.Target.Nodes,
		ForceSingleClient: !c.Target.Cluster,
		DisableCache:      true,
		ConnWriteTimeout:  valkeyGoTimeout,
	})
	return &valkeyGoClient{client, c.Target.Cluster, c.Atomic}, err
}

func (c *valkeyGoClient) Close() { c.client.Close() }

func (c *valkeyGoClient) Caller() (Caller, error) { return c, nil }

func (c *valkeyGoClient) Do(batch []workload.Op) error {
	ctx := context.Background()
	if len(batch) == 1 && !c.atomic {
		return c.single(ctx, &batch[0])
	}
	if c.atomic {
		return c.transaction(ctx, batch)
	}
	commands := make([]valkey.Completed, len(batch))
	for i := range batch {
		commands[i] = valkeyGoBuild(c.client.B(), &batch[i])
	}
	return valkeyGoCheck(batch, c.client.DoMulti(ctx, commands...))
}

// single sends a command of its own.
func (c *valkeyGoClient) single(ctx context.Context, op *workload.Op) error {
	if op.Kind == workload.MGet && c.cluster {
		// The library's way to ask for keys of several slots.
		values, err := valkey.MGet(c.client, ctx, op.Keys)
		if err != nil {
			return err
		}
		for j, key := range op.Keys {
			value := values[key]
			text, err := value.ToString()
			if err != nil {
				return err
			}
			if err := op.CheckElement(0, j, text); err != nil {
				return err
			}
		}
		return nil
	}
	return valkeyGoCheckOne(op, 0, c.client.Do(ctx, valkeyGoBuild(c.client.B(), op)))
}

// transaction sends the batch between MULTI and EXEC on a connection of its own: the
// library's way to transactions.
func (c *valkeyGoClient) transaction(ctx context.Context, batch []workload.Op) error {
	return c.client.Dedicated(func(client valkey.DedicatedClient) error {
		commands := make([]valkey.Completed, 0, len(batch)+2)
		commands = append(commands, client.B().Multi().Build())
		for i := range batch {
			commands = append(commands, valkeyGoBuild(client.B(), &batch[i]))
		}
		commands = append(commands, client.B().Exec().Build())
		replies := client.DoMulti(ctx, commands...)
		values, err := replies[len(replies)-1].ToArray()
		if err != nil {
			return err
		}
		if len(values) != len(batch) {
			return batch[0].Wrong(0, len(values))
		}
		for i := range values {
			if err := valkeyGoCheckMessage(&batch[i], i, &values[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func valkeyGoBuild(b valkey.Builder, op *workload.Op) valkey.Completed {
	switch op.Kind {
	case workload.Get:
		return b.Get().Key(op.Key).Build()
	case workload.Set:
		return b.Set().Key(op.Key).Value(op.Value).Build()
	case workload.Incr:
		return b.Incr().Key(op.Key).Build()
	case workload.HSet:
		return b.Hset().Key(op.Key).FieldValue().FieldValue(workload.Field, op.Value).Build()
	default:
		return b.Mget().Key(op.Keys...).Build()
	}
}

func valkeyGoCheck(batch []workload.Op, replies []valkey.ValkeyResult) error {
	if len(replies) != len(batch) {
		return batch[0].Wrong(0, len(replies))
	}
	for i := range batch {
		if err := valkeyGoCheckOne(&batch[i], i, replies[i]); err != nil {
			return err
		}
	}
	return nil
}

func valkeyGoCheckOne(op *workload.Op, i int, reply valkey.ValkeyResult) error {
	message, err := reply.ToMessage()
	if err != nil {
		return err
	}
	return valkeyGoCheckMessage(op, i, &message)
}

func valkeyGoCheckMessage(op *workload.Op, i int, message *valkey.ValkeyMessage) error {
	switch op.Kind {
	case workload.Get, workload.Set:
		text, err := message.ToString()
		if err != nil {
			return err
		}
		if op.Kind == workload.Get {
			return op.CheckValue(i, text)
		}
		return op.CheckOK(i, text)
	case workload.Incr, workload.HSet:
		number, err := message.ToInt64()
		if err != nil {
			return err
		}
		return op.CheckInteger(i, number)
	default:
		values, err := message.ToArray()
		if err != nil {
			return err
		}
		if len(values) != len(op.Keys) {
			return op.Wrong(i, len(values))
		}
		for j := range values {
			text, err := values[j].ToString()
			if err != nil {
				return err
			}
			if err := op.CheckElement(i, j, text); err != nil {
				return err
			}
		}
		return nil
	}
}
