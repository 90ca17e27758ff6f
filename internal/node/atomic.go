package node

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/resp"
)

var (
	execCommand  = [][]byte{[]byte("EXEC")}
	multiCommand = [][]byte{[]byte("MULTI")}
)

// errSequence: the replies around a transaction were not what they have to be.
var errSequence = errors.New("unexpected replies around a transaction")

// prime begins a transaction on a connection, ahead of its commands. Commands are written
// only behind a MULTI that was answered, so that they never run bare, even when the user
// loses the right to MULTI while the service runs.
func prime(ctx context.Context, c *conn) error {
	replies, err := c.ask(ctx, []string{"MULTI"})
	if err != nil {
		return err
	}
	if err := c.begun(replies[0]); err != nil {
		return err
	}
	c.markReady()
	return nil
}

// primeAsking begins the transaction anew, so that a slot being imported takes it.
func primeAsking(ctx context.Context, c *conn) error {
	replies, err := c.ask(ctx, []string{"DISCARD"}, []string{"ASKING"}, []string{"MULTI"})
	if err != nil {
		return err
	}
	for i, command := range []string{"DISCARD", "ASKING"} {
		if !replies[i].IsSimple("OK") {
			err := errSequence
			if replies[i].IsError() {
				err = &ServerError{Command: command, Text: replies[i].ErrorText()}
			}
			return &ConnectionError{Addr: c.addr, Op: OpHandshake, Err: err}
		}
	}
	return c.begun(replies[2])
}

// begun judges a reply to MULTI. The connection is closed unless the transaction began.
func (c *conn) begun(f resp.Frame) error {
	if f.IsSimple("OK") {
		return nil
	}
	var err error = &ConnectionError{Addr: c.addr, Op: OpProtocol, Err: errSequence}
	if f.IsError() {
		err = &MultiRefusedError{Text: f.ErrorText()}
	}
	c.close(err)
	return err
}

// doAtomic carries out a batch as one transaction: one write of its commands, EXEC, and the
// MULTI that begins the connection's next transaction.
func (e *exclusive) doAtomic(ctx context.Context, t Target, b *Batch) {
	count := b.count
	b.Add(execCommand)
	b.Add(multiCommand)
	b.count = count
	for attempt := 1; ; attempt++ {
		l, err := e.get(ctx, t.Replica)
		if err != nil {
			b.refuse(err)
			return
		}
		if t.Asking {
			if err := primeAsking(ctx, l.c); err != nil {
				l.release(false)
				if ctx.Err() != nil {
					err = interrupted(e.node.addr, "beginning the transaction", ctx.Err())
				}
				if attempt < staleAttempts && stale(ctx, err) {
					continue
				}
				b.refuse(err)
				return
			}
		}
		began := time.Now()
		queued, err := l.c.submit(ctx, b)
		switch {
		case err != nil:
			l.release(false)
			b.refuse(err)
			return
		case !queued:
			l.release(false)
			continue
		}
		l.c.awaitOrClose(ctx, b)
		l.release(b.atomicOutcome(l.c))
		if ctx.Err() != nil && b.got == 0 && time.Since(began) >= silence {
			e.prune(time.Time{}) // the node may hang: whether it does, a new connection tells
		}
		return
	}
}

// staleAttempts bounds how many connections that were closed while idle a transaction tries.
const staleAttempts = 3

// stale reports whether an error is that of a connection which was gone before it was used.
func stale(ctx context.Context, err error) bool {
	var lost *ConnectionError
	return ctx.Err() == nil && errors.As(err, &lost) && errors.As(lost.Err, &lost) && lost.Op == OpLost
}

// atomicOutcome judges a transaction's replies. It reports whether the connection is primed.
// When something between here and the server dropped MULTI, the commands ran one by one as
// they came, and that shows in their replies or in EXEC's.
func (b *Batch) atomicOutcome(c *conn) bool {
	var limit *LimitError
	if b.got > b.count && !errors.As(b.err, &limit) {
		b.err = nil // what is missing concerns the next transaction only
	}
	refused, strange := false, false
	for i := range min(b.got, b.count) {
		f := b.replies[i]
		refused = refused || f.IsError()
		strange = strange || (!f.IsSimple("QUEUED") && !f.IsError())
	}
	if b.got > b.count {
		exec := b.replies[b.count]
		strange = strange || strings.HasPrefix(exec.ErrorText(), "ERR EXEC without MULTI") ||
			(refused && !exec.IsError()) // a refused command makes EXEC refuse
	}
	if strange {
		b.err = &ConnectionError{Addr: c.addr, Op: OpProtocol, Err: errSequence}
		return false
	}
	if b.err != nil || b.got < len(b.ends) {
		return false
	}
	return b.replies[b.count+1].IsSimple("OK")
}
