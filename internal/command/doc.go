// Package command knows Valkey's commands: where their keys are, where they are sent on a
// cluster and how several nodes' answers become one, which of them may block a connection,
// and which a shared service has to refuse.
//
// What a server says of its commands (the reply to COMMAND) is the source of it all. One
// server's answer is committed (commands.txt), newer servers' and modules' commands stand
// beside it with their sources (supplement.txt), and the connected server's own answer tops
// both up at run time. What no server says, or says imprecisely, stands in commented tables
// of this package: response rules (overrides.go), keys that only options tell (keysbyhand.go),
// what would break a shared connection (refused.go) and the default policy (defaults.go).
package command

//go:generate go run ./gen -o commands.txt
