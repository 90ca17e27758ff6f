package subject

import (
	"errors"
	"fmt"

	"github.com/valkeybatch/valkeybatch/bench/internal/workload"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// The floor is the least that anyone can do: connections that are a caller's own, commands
// encoded by hand, replies looked at where they were read. It has no queue, no timeout, no
// redirects, no retries, and keeps nothing.
var floor = &Subject{Name: "floor", Title: "RESP floor", New: newFloor}

type floorClient struct {
	config Config
	owners []uint16 // by slot, an index of Nodes; nil on a standalone server
	conns  []*respConn
}

func newFloor(c Config) (Client, error) {
	f := &floorClient{config: c}
	if c.Target.Cluster {
		var err error
		if f.owners, err = slotOwners(c.Target.Nodes); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *floorClient) Close() {
	for _, c := range f.conns {
		_ = c.conn.Close()
	}
}

func (f *floorClient) Caller() (Caller, error) {
	caller := &floorCaller{owners: f.owners, atomic: f.config.Atomic}
	for _, node := range f.config.Target.Nodes {
		conn, err := dialRESP(node)
		if err != nil {
			return nil, err
		}
		f.conns = append(f.conns, conn)
		caller.parts = append(caller.parts, floorPart{conn: conn})
	}
	return caller, nil
}

// floorCaller is one caller with a connection to each node.
type floorCaller struct {
	owners []uint16
	atomic bool
	parts  []floorPart // by node
}

// floorPart is what one node has of a batch.
type floorPart struct {
	conn    *respConn
	indexes []int
}

func (c *floorCaller) Do(batch []workload.Op) error {
	switch {
	case batch[0].Kind == workload.MGet && c.owners != nil:
		return c.mget(batch)
	case c.atomic:
		return c.transaction(batch)
	}
	for i := range batch {
		part := c.part(batch[i].KeyBytes)
		part.indexes = append(part.indexes, i)
		if err := part.conn.append(&batch[i]); err != nil {
			return err
		}
	}
	for i := range c.parts {
		if err := c.parts[i].conn.flush(); err != nil {
			return err
		}
	}
	for i := range c.parts {
		part := &c.parts[i]
		for _, index := range part.indexes {
			if err := part.conn.read(&batch[index], index); err != nil {
				return err
			}
		}
		part.indexes = part.indexes[:0]
	}
	return nil
}

// part returns the part of the key's node.
func (c *floorCaller) part(key []byte) *floorPart {
	if c.owners == nil {
		return &c.parts[0]
	}
	return &c.parts[c.owners[slotmap.Slot(key)]]
}

// transaction sends the batch, whose keys share a slot, as MULTI ... EXEC.
func (c *floorCaller) transaction(batch []workload.Op) error {
	conn := c.part(batch[0].KeyBytes).conn
	conn.out = append(conn.out, "*1\r\n$5\r\nMULTI\r\n"...)
	for i := range batch {
		if err := conn.append(&batch[i]); err != nil {
			return err
		}
	}
	conn.out = append(conn.out, "*1\r\n$4\r\nEXEC\r\n"...)
	if err := conn.flush(); err != nil {
		return err
	}
	for range len(batch) + 1 { // OK, QUEUED, QUEUED, ...
		if line, err := conn.line(); err != nil || line[0] != '+' {
			return errors.Join(err, fmt.Errorf("got %q in a transaction", line))
		}
	}
	if n, err := conn.count('*'); err != nil || n != len(batch) {
		return errors.Join(err, fmt.Errorf("a transaction of %d commands has %d replies", len(batch), n))
	}
	for i := range batch {
		if err := conn.read(&batch[i], i); err != nil {
			return err
		}
	}
	return nil
}

// mget asks a cluster for keys of many slots: one GET a key, to its node.
func (c *floorCaller) mget(batch []workload.Op) error {
	for i := range batch {
		op := &batch[i]
		for j, key := range op.KeysBytes {
			part := c.part(key)
			part.indexes = append(part.indexes, j)
			part.conn.appendArgs(getArg, key)
		}
		for p := range c.parts {
			if err := c.parts[p].conn.flush(); err != nil {
				return err
			}
		}
		for p := range c.parts {
			part := &c.parts[p]
			for _, j := range part.indexes {
				value, err := part.conn.bulk()
				if err != nil {
					return err
				}
				if err := op.CheckElementBytes(i, j, value); err != nil {
					return err
				}
			}
			part.indexes = part.indexes[:0]
		}
	}
	return nil
}
