package server

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/valkeybatch/valkeybatch/internal/executor"
)

// maxSlowSends is how many sub-pipelines of a slow batch its line tells of: the slowest.
const maxSlowSends = 8

// slowLog writes a line for each batch that takes long, with where its time went. In an
// overload, when all do, it writes some of them.
type slowLog struct {
	logger  *slog.Logger
	least   time.Duration
	samples sampler
}

// Detailed implements executor.Observer.
func (s *slowLog) Detailed(context.Context) bool { return false }

// Executed implements executor.Observer.
func (s *slowLog) Executed(ctx context.Context, r *executor.Report) {
	took := r.End.Sub(r.Start)
	if took < s.least {
		return
	}
	log, held := s.samples.take(codes.OK, time.Now()) // one kind of line: any code will do
	if !log {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", requestIDOf(ctx)),
		slog.Duration("duration", took),
		slog.String("mode", modeOf(r.Atomic)),
		slog.Int("commands", r.Commands),
		slog.Int("failed_count", r.Failed),
		slog.Bool("failed_as_a_whole", r.Err != nil && r.Results == nil),
	}
	attrs = append(attrs, where(r)...)
	if held > 0 {
		attrs = append(attrs, slog.Int("not_logged_before", held))
	}
	s.logger.LogAttrs(ctx, slog.LevelWarn, "a batch was slow", attrs...)
}

// where says where a batch's time went. Its parts add up to all of it: planning until it was known
// where the commands go, each round until its last sub-pipeline was answered, and between
// rounds, when it waits for the pause before a retry or for a look at the topology.
func where(r *executor.Report) []slog.Attr {
	if r.Planned.IsZero() {
		return []slog.Attr{slog.Duration("planning", r.End.Sub(r.Start))}
	}
	var inRounds, inQueues time.Duration
	byNode := map[string]time.Duration{}
	for sends := r.Sends; len(sends) > 0; {
		n := 0
		for n < len(sends) && sends[n].Round == sends[0].Round {
			n++
		}
		slowest := slices.MaxFunc(sends[:n], longer)
		inRounds += span(&slowest)
		inQueues += slowest.Queued()
		byNode[slowest.Node] += span(&slowest)
		sends = sends[n:]
	}
	planning := r.Planned.Sub(r.Start)
	attrs := []slog.Attr{
		slog.Duration("planning", planning),
		slog.Duration("in_rounds", inRounds),
		slog.Duration("of_that_queued", inQueues),
		slog.Duration("between_rounds", max(0, r.End.Sub(r.Start)-planning-inRounds)),
		slog.Int("rounds", r.Rounds),
		slog.Int("sub_pipelines", len(r.Sends)),
		slog.Int("moved", r.Moved),
		slog.Int("ask", r.Asked),
	}
	retries := 0
	for cause, n := range r.Retries {
		if n > 0 {
			retries += n
			attrs = append(attrs, slog.Int("retries_"+executor.Cause(cause).String(), n))
		}
	}
	attrs = append(attrs, slog.Int("retries", retries))
	if len(r.Sends) == 0 {
		return attrs
	}
	slowest := slices.Clone(r.Sends)
	slices.SortStableFunc(slowest, func(a, b executor.Send) int { return longer(b, a) })
	slowest = slowest[:min(len(slowest), maxSlowSends)]
	told := make([]any, 0, len(slowest))
	for i := range slowest {
		s := &slowest[i]
		told = append(told, slog.Group(fmt.Sprint(i),
			"node", s.Node, "round", s.Round, "lane", s.Lane.String(), "commands", s.Commands, "bytes", s.Bytes,
			"took", span(s), "queued", s.Queued(), "redirected", s.Redirected, "lost", s.Err != nil))
	}
	return append(attrs, slog.String("slowest_node", slowestOf(byNode)), slog.Group("slowest", told...))
}

func span(s *executor.Send) time.Duration { return s.End.Sub(s.Start) }

func longer(a, b executor.Send) int { return cmp.Compare(span(&a), span(&b)) }

// slowestOf is the node whose rounds took the most time.
func slowestOf(byNode map[string]time.Duration) string {
	slowest := ""
	for addr, took := range byNode {
		if slowest == "" || took > byNode[slowest] || (took == byNode[slowest] && addr < slowest) {
			slowest = addr
		}
	}
	return slowest
}
