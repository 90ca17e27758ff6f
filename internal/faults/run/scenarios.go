package run

import (
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/deploy"
	"github.com/valkeybatch/valkeybatch/internal/faults/inject"
	"github.com/valkeybatch/valkeybatch/internal/faults/workload"
)

var (
	plain      = deploy.Config{NodeTimeout: 20 * time.Second}             // nobody takes anybody for dead
	replicated = deploy.Config{Replicas: 1, NodeTimeout: 2 * time.Second} // promotions
	strict     = deploy.Config{NodeTimeout: time.Second, FullCoverage: true}
	standalone = deploy.Config{Standalone: true}
)

// patient makes the callers who ask for both retries wait through anything.
var patient = workload.Config{Patient: 30 * time.Second}

// Scenarios are all of them, by the names that tests and flags use.
var Scenarios = map[string]Scenario{
	"crash":         {Deploy: plain, Faults: []inject.Fault{inject.Crash}},
	"client-kill":   {Deploy: plain, Faults: []inject.Fault{inject.KillClients}},
	"drops":         {Deploy: plain, Faults: []inject.Fault{inject.Drops}},
	"drops-all":     {Deploy: plain, Faults: []inject.Fault{inject.DropsAll}},
	"dead":          {Deploy: plain, Faults: []inject.Fault{inject.Dead}},
	"cut":           {Deploy: plain, Faults: []inject.Fault{inject.Cut}},
	"slow":          {Deploy: plain, Faults: []inject.Fault{inject.Slow}},
	"freeze":        {Deploy: plain, Faults: []inject.Fault{inject.Freeze}},
	"resets":        {Deploy: plain, Faults: []inject.Fault{inject.MidReply, inject.MidRequest}},
	"swap":          {Deploy: plain, Faults: []inject.Fault{inject.Swap}},
	"kill":          {Deploy: replicated, Faults: []inject.Fault{inject.Kill}, Workload: patient},
	"stop":          {Deploy: replicated, Faults: []inject.Fault{inject.Stop}, Workload: patient},
	"failover":      {Deploy: replicated, Faults: []inject.Fault{inject.Failover}, Workload: patient},
	"restart":       {Deploy: replicated, Faults: []inject.Fault{inject.Restart}, Workload: patient},
	"migrate":       {Deploy: plain, Faults: []inject.Fault{inject.Migrate}},
	"migrate-long":  {Deploy: plain, Faults: []inject.Fault{inject.Open}},
	"migrate-drops": {Deploy: plain, Faults: []inject.Fault{inject.Together("migration, resets", inject.Migrate, inject.DropsAll)}},
	"join-leave":    {Deploy: plain, Faults: []inject.Fault{inject.JoinLeave}},
	"atomic":        {Deploy: plain, Faults: []inject.Fault{inject.Migrate}, Workload: workload.Config{AtomicShare: 70}},
	"blackout":      {Deploy: strict, Faults: []inject.Fault{inject.Blackout}},
	"oom":           {Deploy: plain, Faults: []inject.Fault{inject.Full}},
	"loading":       {Deploy: plain, Faults: []inject.Fault{inject.Loading}},
	"cancel":        {Deploy: plain, Faults: []inject.Fault{inject.Drops, inject.Freeze}, Workload: workload.Config{CancelShare: 30}},
	"big":           {Deploy: plain, Faults: []inject.Fault{inject.Together("migration, resets", inject.Migrate, inject.Drops)}, Workload: workload.Config{Commands: 2000, AtomicShare: -1, Pause: time.Second, Timeouts: []time.Duration{20 * time.Second}}},
	"alone-restart": {Deploy: standalone, Faults: []inject.Fault{inject.Restart}},
	"alone-loading": {Deploy: standalone, Faults: []inject.Fault{inject.Loading}},
	"read-only":     {Deploy: standalone, Faults: []inject.Fault{inject.ReadOnly}},
	"alone-resets":  {Deploy: standalone, Faults: []inject.Fault{inject.MidReply, inject.MidRequest, inject.Drops}},
}
