package node

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/poison"
	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// LargeArg is the size in bytes from which an argument is written from where it is instead of
// being copied into the sub-batch's buffer.
const LargeArg = 16<<10 + 1

// Batch is one sub-batch: commands written back to back on one connection, and what came of
// each. It is filled by one goroutine, carried out by one Node.Do, and read after that.
type Batch struct {
	guard poison.Guard
	buf   []byte
	large []largeArg
	// ends[i] is the offset in the encoded stream at which command i ends.
	ends  []int
	size  int
	count int // the caller's commands; a transaction has EXEC and MULTI behind them
	// restores is whether the last command puts the connection back as it was found.
	restores bool
	replies  []resp.Frame
	budget   *Budget

	// The rest belongs to the connection while the batch is in flight; what its mutex guards
	// is marked so.
	next, prev *Batch       // guarded: the connection's queue
	taken      bool         // guarded: a writer began with it
	settled    bool         // guarded: the outcome below is final
	written    atomic.Int64 // bytes given to the socket; set by the writer
	answered   atomic.Int64 // replies stored; set by the reader
	discard    atomic.Bool  // further replies are dropped
	timed      bool         // takenAt and settledAt are wanted
	takenAt    int64        // guarded: when a writer began with it, by clock; 0: none has
	settledAt  int64        // guarded: when it was settled, by clock
	round      *Round       // whoever waits for it
	own        Round        // for one who waits for nothing else

	// The outcome.
	got  int // replies received
	sent int // bytes that may have been sent
	err  error
}

// largeArg is an argument that is not in the buffer: it goes before buf[at].
type largeArg struct {
	at  int
	arg []byte
}

// batches recycles sub-batches of which everything is known and written.
var batches = sync.Pool{New: func() any { return new(Batch) }}

// batchKind is not strict: a sub-batch need not be released.
var batchKind = poison.NewKind("sub-batches", false)

// maxPooledBytes and maxPooledCommands are the largest sub-batch whose memory is worth keeping.
const (
	maxPooledBytes    = 8 << 20
	maxPooledCommands = 128 << 10
)

// NewBatch returns an empty sub-batch with room for so many commands. The budget may be shared
// with other sub-batches; nil for no bound.
func NewBatch(commands int, budget *Budget) *Batch {
	b := batches.Get().(*Batch)
	b.guard.Take(batchKind)
	b.budget = budget
	if cap(b.ends) < commands {
		b.ends = make([]int, 0, commands)
	}
	return b
}

// Release gives the sub-batch's memory back for others, if nobody can touch it any more. Its
// replies stay valid, but not the sub-batch itself.
func (b *Batch) Release() {
	if b.err != nil || b.got != len(b.ends) || b.written.Load() != int64(b.size) ||
		cap(b.buf) > maxPooledBytes || cap(b.ends) > maxPooledCommands {
		b.guard.Leave()
		return
	}
	b.guard.Give()
	clear(b.replies)
	clear(b.large)
	b.poison()
	b.buf, b.large, b.ends, b.replies = b.buf[:0], b.large[:0], b.ends[:0], b.replies[:0]
	b.size, b.count, b.restores, b.budget = 0, 0, false, nil
	b.next, b.prev, b.taken, b.settled, b.round = nil, nil, false, false, nil
	b.timed, b.takenAt, b.settledAt = false, 0, 0
	b.written.Store(0)
	b.answered.Store(0)
	b.got, b.sent = 0, 0
	batches.Put(b)
}

// poison spoils the memory of a sub-batch that is being released.
func (b *Batch) poison() {
	poison.Bytes(b.buf)
	if poison.On {
		poison.Fill(b.ends, -1)
		poison.Fill(b.large, largeArg{arg: []byte("used after its release")})
		poison.Fill(b.replies, resp.Frame("-POISONED used after its release\r\n"))
	}
}

// join makes r the one that waits for the sub-batch.
func (b *Batch) join(r *Round) {
	r.init()
	b.round = r
	r.left.Add(1)
}

// part undoes join for a sub-batch that was not queued.
func (b *Batch) part() {
	b.round.left.Add(-1)
	b.round = nil
}

// wait waits until the sub-batch is settled. It returns the context's error when that ends first.
func (b *Batch) wait(ctx context.Context) error {
	for b.round.left.Load() > 0 {
		select {
		case <-b.round.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Add encodes one more command. Arguments of LargeArg bytes and more are not copied: they must
// stay unchanged even after Do, for as long as the connection may still write them.
func (b *Batch) Add(args [][]byte) {
	b.guard.Check()
	b.count++
	before := len(b.buf)
	b.buf = resp.AppendArrayHeader(b.buf, len(args))
	for _, a := range args {
		if len(a) < LargeArg {
			b.buf = resp.AppendBulk(b.buf, a)
			continue
		}
		b.buf = resp.AppendBulkHeader(b.buf, len(a))
		b.large = append(b.large, largeArg{at: len(b.buf), arg: a})
		b.size += len(a)
		b.buf = resp.AppendCRLF(b.buf)
	}
	b.size += len(b.buf) - before
	b.ends = append(b.ends, b.size)
}

// Restores says that the commands change the connection (SELECT) and that the last one puts
// it back as it was found, with the reply "+OK". Such a sub-batch is to travel in a class that
// has a connection to itself, which is not used again if that last reply is another one.
func (b *Batch) Restores() { b.restores = true }

// restored reports whether the connection is as it was found.
func (b *Batch) restored() bool {
	if !b.restores {
		return true
	}
	f, _ := b.Reply(b.count - 1)
	return f.IsSimple("OK")
}

// Time has the sub-batch take note of the times that Times returns.
func (b *Batch) Time() { b.timed = true }

// Times returns, after Do of a sub-batch with Time, when the connection began to write it and
// when what became of it was known; zero for what never happened, and as when it is asked where
// the sub-batch was refused without a connection.
func (b *Batch) Times() (written, settled time.Time) {
	if b.takenAt != 0 {
		written = epoch.Add(time.Duration(b.takenAt))
	}
	if b.settledAt == 0 {
		return written, time.Now()
	}
	return written, epoch.Add(time.Duration(b.settledAt))
}

// Len returns the number of commands added.
func (b *Batch) Len() int { return b.count }

// Bytes returns the encoded size in bytes.
func (b *Batch) Bytes() int { return b.size }

// Reply returns what is known of the i-th command: its reply when it is Acknowledged. Of a
// transaction it is the reply at queue time: "+QUEUED" or an error. An index out of range is
// NotSent. The frame stays valid; it pins the read buffer that it is a slice of.
func (b *Batch) Reply(i int) (resp.Frame, State) {
	b.guard.Check()
	if i < 0 || i >= b.count {
		return nil, NotSent
	}
	return b.reply(i)
}

func (b *Batch) reply(i int) (resp.Frame, State) {
	switch {
	case i < b.got:
		return b.replies[i], Acknowledged
	case i < len(b.ends) && b.ends[i] <= b.sent:
		return nil, Unknown
	}
	return nil, NotSent
}

// Exec returns EXEC's reply after an Atomic Do, empty if there is none.
func (b *Batch) Exec() resp.Frame {
	b.guard.Check()
	f, _ := b.reply(b.count)
	return f
}

// ExecState returns what is known of EXEC after an Atomic Do. Only when it is not NotSent can
// the transaction have had effects.
func (b *Batch) ExecState() State {
	b.guard.Check()
	_, s := b.reply(b.count)
	return s
}

// Err returns nil when every command is acknowledged. Otherwise it is a *ConnectionError, a
// *LimitError, a *MultiRefusedError, or wraps the context's error. After an Atomic Do it is a
// *ConnectionError of OpProtocol, too, when the replies are not those of a transaction: EXEC's
// reply is to be believed only when Err is nil.
func (b *Batch) Err() error {
	b.guard.Check()
	return b.err
}

// refuse settles a batch of which nothing was sent.
func (b *Batch) refuse(err error) { b.err = err }

// Held reports, after Do, whether a connection may still read arguments of the sub-batch from
// where they are.
func (b *Batch) Held() bool {
	b.guard.Check()
	if len(b.large) == 0 {
		return false
	}
	// The last replies may be here a moment before the writer has noted what it wrote.
	for range 100 {
		if b.written.Load() == int64(b.size) || b.err != nil {
			break
		}
		runtime.Gosched()
	}
	return b.written.Load() != int64(b.size)
}

// pieces appends the encoded stream from offset skip on, piece by piece.
func (b *Batch) pieces(dst [][]byte, skip int) [][]byte {
	add := func(p []byte) {
		if skip >= len(p) {
			skip -= len(p)
			return
		}
		dst = append(dst, p[skip:])
		skip = 0
	}
	at := 0
	for _, l := range b.large {
		add(b.buf[at:l.at])
		add(l.arg)
		at = l.at
	}
	add(b.buf[at:])
	return dst
}
