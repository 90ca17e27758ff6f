package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/faults/deploy"
	"github.com/valkeybatch/valkeybatch/internal/faults/history"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
)

const second = time.Second

var limits = Limits{Grace: second, Recovery: second, Healing: 3 * second}

// one is a history of a caller whose batch at 10 s pushes a, b to a list, bumps a counter, sets a
// register and reads it, all acknowledged, and which a test then spoils.
func one() *history.History {
	slots := []uint16{1}
	b := history.Batch{
		Batch: subject.Batch{Timeout: second}, Start: 10 * second, End: 10*second + second/10,
		Commands: []history.Command{
			{Kind: history.Push, Keys: []string{"list"}, Values: []string{"a"}, Slots: slots},
			{Kind: history.Push, Keys: []string{"list"}, Values: []string{"b"}, Slots: slots},
			{Kind: history.Bump, Keys: []string{"counter"}, Slots: slots},
			{Kind: history.Set, Keys: []string{"register"}, Values: []string{"v"}, Slots: slots},
			{Kind: history.Get, Keys: []string{"register"}, Slots: slots},
			{Kind: history.Fixed, Keys: []string{"x", "y"}, Values: []string{"1", "2"}, Slots: []uint16{1, 9}},
			{Kind: history.Count},
			{Kind: history.Wait, Keys: []string{"never"}, Slots: slots},
		},
		Results: []subject.Result{
			{Reply: int64(1)}, {Reply: int64(2)}, {Reply: int64(1)}, {Reply: "OK"}, {Reply: "v"},
			{Reply: []any{"1", "2"}}, {Reply: int64(7)}, {Reply: nil},
		},
	}
	return &history.History{
		Batches: []history.Batch{b},
		Truth: &deploy.Truth{
			Lists:   map[string][]string{"list": {"a", "b"}},
			Strings: map[string]string{"counter": "1", "register": "v"},
		},
		Records: []deploy.Record{{Node: "n:1", Pushes: []deploy.Push{{Key: "list", Element: "a"}, {Key: "list", Element: "b"}}}},
		Keys:    7,
		Traits:  subject.Traits{Outcomes: true},
	}
}

// fails makes a command's result an error.
func fails(h *history.History, i int, code string, outcome subject.Outcome) {
	h.Batches[0].Results[i] = subject.Result{Err: &subject.Error{Code: code, Message: code + " it was", Node: "n:1", Outcome: outcome}}
}

// befalls adds a fault from 9 s to 11 s.
func befalls(h *history.History, e history.Effects) *history.Fault {
	if e.Nodes == nil {
		e.Nodes = []string{"n:1"}
	}
	h.Faults = append(h.Faults, history.Fault{Name: "fault", Start: 9 * second, End: 11 * second, Effects: e})
	return &h.Faults[len(h.Faults)-1]
}

func TestPlantedViolationsAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		plant func(h *history.History)
		want  string // rules, in alphabetical order
	}{
		"nothing": {func(h *history.History) {}, ""},

		"an acknowledged element is gone": {func(h *history.History) { h.Truth.Lists["list"] = []string{"a"} }, Lost},
		"gone, and a fault elsewhere loses": {func(h *history.History) {
			h.Truth.Lists["list"] = []string{"a"}
			befalls(h, history.Effects{Loses: true, Slots: history.Slots{2: true}})
		}, Lost},
		"gone, and a fault at another time loses": {func(h *history.History) {
			h.Truth.Lists["list"] = []string{"a"}
			f := befalls(h, history.Effects{Loses: true})
			f.Start, f.End = 20*second, 21*second
		}, Lost},
		"gone, and the node that was replaced never had it": {func(h *history.History) {
			h.Truth.Lists["list"] = []string{"a"}
			h.Records[0].Pushes = h.Records[0].Pushes[:1]
			befalls(h, history.Effects{Loses: true})
		}, Lost},
		"gone, and what the node executed later is not": {func(h *history.History) {
			h.Truth.Lists["list"] = []string{"b"}
			h.Batches[0].Results[1].Reply = int64(1) // the place where it stands
			f := befalls(h, history.Effects{Loses: true})
			f.Start = h.Batches[0].End + 1
		}, Lost},
		"gone with a server that was replaced": {func(h *history.History) {
			h.Truth.Lists["list"] = []string{"a"}
			befalls(h, history.Effects{Loses: true})
		}, ""},

		"an element is there twice": {func(h *history.History) { h.Truth.Lists["list"] = []string{"a", "b", "b"} }, Duplicated},
		"twice with retry_connection_error": {func(h *history.History) {
			h.Truth.Lists["list"] = []string{"a", "b", "b"}
			h.Batches[0].RetryConnection = true
		}, ""},

		"said not to be executed, and there": {func(h *history.History) {
			fails(h, 1, "CONNECTION", subject.NotExecuted)
			befalls(h, history.Effects{Disconnects: true})
		}, Ran},
		"said not to be executed, and executed by a server that was replaced": {func(h *history.History) {
			fails(h, 1, "CONNECTION", subject.NotExecuted)
			h.Truth.Lists["list"] = []string{"a"}
			befalls(h, history.Effects{Disconnects: true, Loses: true})
		}, Ran},
		"a batch that failed unexecuted, and there": {func(h *history.History) {
			h.Batches[0].Failure = &subject.Failure{Status: "Unavailable", Outcome: subject.NotExecuted}
			h.Batches[0].Results = nil
			h.Truth.Strings = nil
			befalls(h, history.Effects{Disconnects: true})
		}, Ran + " + " + Ran},
		"said not to be executed, and a register has it": {func(h *history.History) {
			fails(h, 3, "LOADING", subject.NotExecuted)
			befalls(h, history.Effects{Codes: []string{"LOADING"}})
		}, Lost + " + " + WrongReply},
		"said not to be executed, and a counter has it": {func(h *history.History) {
			fails(h, 2, "LOADING", subject.NotExecuted)
			befalls(h, history.Effects{Codes: []string{"LOADING"}})
		}, WrongCount},

		"unknown without a fault": {func(h *history.History) { fails(h, 0, "CONNECTION", subject.Unknown) }, Unfounded},
		"unknown of a node that nothing befell": {func(h *history.History) {
			fails(h, 0, "CONNECTION", subject.Unknown)
			befalls(h, history.Effects{Disconnects: true, Nodes: []string{"n:2"}})
		}, Unfounded},
		"unknown where no connection was lost": {func(h *history.History) {
			fails(h, 0, "CONNECTION", subject.Unknown)
			befalls(h, history.Effects{Codes: []string{"TRYAGAIN"}})
		}, Unfounded},
		"unknown of a healthy slot": {func(h *history.History) {
			fails(h, 0, "CONNECTION", subject.Unknown)
			befalls(h, history.Effects{Disconnects: true, Slots: history.Slots{2: true}})
		}, Unfounded},
		"unknown with reason": {func(h *history.History) {
			fails(h, 0, "CONNECTION", subject.Unknown)
			befalls(h, history.Effects{Disconnects: true})
		}, ""},
		"a node's word that is said to be unknown": {func(h *history.History) {
			fails(h, 7, "UNBLOCKED", subject.Unknown)
			befalls(h, history.Effects{Codes: []string{"UNBLOCKED"}})
		}, Unfounded},
		"an error that the fault does not give": {func(h *history.History) {
			fails(h, 7, "OOM", subject.NotExecuted)
			befalls(h, history.Effects{Codes: []string{"LOADING"}})
		}, Unfounded},
		"an error without an outcome": {func(h *history.History) {
			fails(h, 7, "OOM", subject.Succeeded)
			befalls(h, history.Effects{Codes: []string{"OOM"}})
		}, Unfounded},
		"a timeout where nothing hangs": {func(h *history.History) {
			h.Batches[0].Failure = &subject.Failure{Status: "DeadlineExceeded", Outcome: subject.Unknown, Late: true}
			befalls(h, history.Effects{Codes: []string{"TRYAGAIN"}})
		}, Unfounded},
		"a timeout where something hangs": {func(h *history.History) {
			h.Batches[0].Failure = &subject.Failure{Status: "DeadlineExceeded", Outcome: subject.Unknown, Late: true}
			befalls(h, history.Effects{Hangs: true})
		}, ""},
		"an error long after the fault": {func(h *history.History) {
			fails(h, 7, "LOADING", subject.NotExecuted)
			f := befalls(h, history.Effects{Codes: []string{"LOADING"}})
			f.Start, f.End = second, 2*second
		}, NotRecovered},
		"an error long after the promotion": {func(h *history.History) {
			fails(h, 7, "CONNECTION", subject.NotExecuted)
			f := befalls(h, history.Effects{Disconnects: true})
			f.Start, f.Promoted = second, 8*second
		}, NotRecovered},

		"a retry not made": {func(h *history.History) {
			fails(h, 7, "LOADING", subject.NotExecuted)
			h.Batches[0].RetryServer = true
			befalls(h, history.Effects{Codes: []string{"LOADING"}})
		}, GaveUp},
		"a resend not made": {func(h *history.History) {
			fails(h, 7, "CONNECTION", subject.Unknown)
			h.Batches[0].RetryConnection = true
			befalls(h, history.Effects{Disconnects: true})
		}, GaveUp},
		"a promotion not spanned": {func(h *history.History) {
			b := &h.Batches[0]
			b.RetryServer, b.RetryConnection, b.Timeout, b.End = true, true, 20*second, 30*second
			b.Failure = &subject.Failure{Status: "DeadlineExceeded", Outcome: subject.Unknown, Late: true}
			befalls(h, history.Effects{Hangs: true, Disconnects: true}).Promoted = 11 * second
		}, GaveUp},

		"another order": {func(h *history.History) {
			h.Truth.Lists["list"] = []string{"b", "a"}
			h.Batches[0].Results[0].Reply, h.Batches[0].Results[1].Reply = int64(2), int64(1)
		}, Order},
		"another order, as a retry may bring": {func(h *history.History) {
			h.Truth.Lists["list"] = []string{"b", "a"}
			h.Batches[0].Results[0].Reply, h.Batches[0].Results[1].Reply = int64(2), int64(1)
			h.Batches[0].RetryServer = true
		}, ""},
		"another order, atomic": {func(h *history.History) {
			h.Truth.Lists["list"] = []string{"b", "a"}
			h.Batches[0].Results[0].Reply, h.Batches[0].Results[1].Reply = int64(2), int64(1)
			h.Batches[0].Atomic = true
		}, Order},
		"half of an atomic batch": {func(h *history.History) {
			h.Batches[0].Atomic = true
			h.Batches[0].Failure = &subject.Failure{Outcome: subject.Unknown, Late: true}
			h.Truth.Lists["list"] = []string{"a"}
			befalls(h, history.Effects{Hangs: true})
		}, Torn},
		"something between an atomic batch": {func(h *history.History) {
			h.Batches[0].Atomic = true
			h.Batches = append(h.Batches, history.Batch{
				Caller: 1, Batch: subject.Batch{Timeout: second}, Start: 10 * second, End: 10 * second,
				Commands: []history.Command{{Kind: history.Push, Keys: []string{"list"}, Values: []string{"c"}, Slots: []uint16{1}}},
				Results:  []subject.Result{{Reply: int64(2)}},
			})
			h.Batches[0].Results[1].Reply = int64(3)
			h.Truth.Lists["list"] = []string{"a", "c", "b"}
		}, Interleaved},

		"answered too late":     {func(h *history.History) { h.Batches[0].End = 13 * second }, Late},
		"a result is missing":   {func(h *history.History) { h.Batches[0].Results = h.Batches[0].Results[:7] }, Incomplete},
		"replies swapped":       {func(h *history.History) { r := h.Batches[0].Results; r[0], r[1] = r[1], r[0] }, WrongReply + " + " + WrongReply},
		"OK for a push":         {func(h *history.History) { h.Batches[0].Results[0].Reply = "OK" }, WrongReply},
		"a number for a SET":    {func(h *history.History) { h.Batches[0].Results[3].Reply = int64(1) }, WrongReply},
		"OK for an INCR":        {func(h *history.History) { h.Batches[0].Results[2].Reply = "OK" }, WrongReply},
		"a value for a BLPOP":   {func(h *history.History) { h.Batches[0].Results[7].Reply = "x" }, WrongReply},
		"an old value":          {func(h *history.History) { h.Batches[0].Results[4].Reply = nil }, WrongReply},
		"another's value":       {func(h *history.History) { h.Batches[0].Results[4].Reply = "w" }, WrongReply},
		"values in other order": {func(h *history.History) { h.Batches[0].Results[5].Reply = []any{"2", "1"} }, WrongReply + " + " + WrongReply},
		"a partial MGET":        {func(h *history.History) { h.Batches[0].Results[5].Reply = []any{"1"} }, WrongReply},
		"a partial sum":         {func(h *history.History) { h.Batches[0].Results[6].Reply = int64(6) }, WrongReply},
		"one number for two INCR": {func(h *history.History) {
			h.Batches[0].Commands[7], h.Batches[0].Results[7] = h.Batches[0].Commands[2], h.Batches[0].Results[2]
			h.Truth.Strings["counter"] = "2"
		}, WrongReply},
		"a counter too low":            {func(h *history.History) { delete(h.Truth.Strings, "counter") }, Lost},
		"a counter too high":           {func(h *history.History) { h.Truth.Strings["counter"] = "2" }, WrongCount},
		"a register without its value": {func(h *history.History) { delete(h.Truth.Strings, "register") }, Lost},
		"what nobody wrote":            {func(h *history.History) { h.Truth.Lists["list"] = []string{"a", "b", "z"} }, Unasked},
		"an element in another list": {func(h *history.History) {
			h.Truth.Lists["other"] = []string{"b"}
			h.Truth.Lists["list"] = []string{"a"}
		}, Unasked + " + " + WrongReply},
	} {
		t.Run(name, func(t *testing.T) {
			h := one()
			c.plant(h)
			var got []string
			for _, v := range Check(h, limits).Violations {
				got = append(got, v.Rule)
			}
			slices.Sort(got)
			if diff := cmp.Diff(c.want, strings.Join(got, " + ")); diff != "" {
				t.Errorf("rules (-want +got):\n%s\n%v", diff, Check(h, limits).Violations)
			}
		})
	}
}
