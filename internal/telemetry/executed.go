package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/node"
)

// outcomeNames are the labels of what came of commands: by executor.Outcome, 0 for a reply.
var outcomeNames = [...]string{0: "ok", executor.NotExecuted: "not_executed", executor.Failed: "failed", executor.Unknown: "unknown"}

const outcomes = len(outcomeNames)

// errorCodes are the codes that command errors are counted by; all others are "other", since
// scripts and modules may make up any.
var errorCodes = []string{
	executor.CodeConnection, executor.CodeTimeout, executor.CodeReply,
	"ERR", "WRONGTYPE", "NOSCRIPT", "NOPERM", "NOAUTH", "OOM", "BUSY", "BUSYGROUP", "BUSYKEY", "NOGROUP", "EXECABORT", "MISCONF",
	"NOREPLICAS", "CROSSSLOT", "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY", otherCode,
}

const otherCode = "other"

func (m *Metrics) registerCommands() {
	families := m.counters("commands_total", "Commands of batches of which anything was written to a node, by family: the kind of data or work.", "family")
	for f := range m.commands {
		m.commands[f] = families.WithLabelValues(command.Family(f).String())
	}
	results := m.counters("command_results_total", "Results of commands: ok for a reply, otherwise the error's outcome (not_executed, failed, unknown). Commands of batches that failed as a whole have none.", "outcome")
	for o, name := range outcomeNames {
		m.outcomes[o] = results.WithLabelValues(name)
	}
	errors := m.counters("command_errors_total", "Results of commands that are errors, by the error's code; other for codes that Valkey itself does not give.", "code")
	for _, code := range errorCodes {
		m.errors[code] = errors.WithLabelValues(code)
	}
	m.subPipelines = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Name: "batch_sub_pipelines", Buckets: []float64{1, 2, 3, 5, 10, 20, 50, 100, 250, 1000},
		Help: "Sub-pipelines and transactions of a batch, over all its rounds, those to nodes that could not be reached included; batches that never had one are left out.",
	})
	m.rounds = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: namespace, Name: "batch_rounds_total",
		Help: "Rounds of batches: one for a batch without redirects and retries.",
	})
	m.registry.MustRegister(m.subPipelines, m.rounds)
	redirects := m.counters("redirects_total", "Commands, parts of split ones, or transactions that were sent where a redirect points, by kind (moved, ask).", "kind")
	m.redirects = [2]prometheus.Counter{redirects.WithLabelValues("moved"), redirects.WithLabelValues("ask")}
	retries := m.counters("retries_total", "Commands, parts of split ones, or transactions that were sent again, by the code of the error that is the cause; UNKNOWN_NODE for a redirect to a node that the topology does not have.", "cause")
	for c := range m.retries {
		m.retries[c] = retries.WithLabelValues(executor.Cause(c).String())
	}
	queue := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "node_queue_seconds", Buckets: durations,
		Help: "Time that a sub-pipeline or transaction waited until a connection began to write it, by the connection's lane.",
	}, []string{"lane"})
	m.registry.MustRegister(queue)
	for lane := range m.queue {
		m.queue[lane] = queue.WithLabelValues(node.Class(lane).String())
	}
}

// Detailed implements executor.Observer.
func (m *Metrics) Detailed(ctx) bool { return false }

// Executed implements executor.Observer.
func (m *Metrics) Executed(_ ctx, r *executor.Report) {
	for family, n := range r.Families {
		if n > 0 {
			m.commands[family].Add(float64(n))
		}
	}
	m.results(r)
	if len(r.Sends) > 0 {
		m.subPipelines.Observe(float64(len(r.Sends)))
		m.rounds.Add(float64(r.Rounds))
	}
	for i := range r.Sends {
		s := &r.Sends[i]
		m.queue[s.Lane].Observe(s.Queued().Seconds())
		m.nodes.of(s.Node, s.Lane).Observe(s.End.Sub(s.Start).Seconds())
	}
	if r.Moved > 0 {
		m.redirects[0].Add(float64(r.Moved))
	}
	if r.Asked > 0 {
		m.redirects[1].Add(float64(r.Asked))
	}
	for cause, n := range r.Retries {
		if n > 0 {
			m.retries[cause].Add(float64(n))
		}
	}
}

// results counts what came of commands.
func (m *Metrics) results(r *executor.Report) {
	if ok := len(r.Results) - r.Failed; ok > 0 {
		m.outcomes[0].Add(float64(ok))
	}
	if r.Failed == 0 {
		return
	}
	for i := range r.Results {
		err := r.Results[i].Err
		if err == nil {
			continue
		}
		m.outcomes[err.Outcome].Inc()
		counter := m.errors[err.Code]
		if counter == nil {
			counter = m.errors[otherCode]
		}
		counter.Inc()
	}
}
