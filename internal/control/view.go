package control

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/valkey-io/valkey-go"

	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// view is the deployment as one node sees it.
type view struct {
	cluster bool
	primary bool // of a standalone node: its role
	state   state
	epoch   uint64 // cluster_current_epoch, 0 when the node does not tell
	shards  []slotmap.Shard
	layout  string // equal in two views that assign the slots alike
}

// state is what a node says of the whole cluster.
type state uint8

const (
	stateFail state = iota
	stateUnknown
	stateOK
)

// owned reports whether any slot is served.
func (v *view) owned() bool { return v.layout != "" }

// look asks one node how it sees the deployment.
func (c *Client) look(ctx context.Context, p *peer) (*view, error) {
	replies, err := p.ask(ctx,
		[]string{"HELLO", "3"},
		[]string{"CLUSTER", "MYID"},
		[]string{"CLUSTER", "SLOTS"},
		[]string{"CLUSTER", "SHARDS"},
		[]string{"CLUSTER", "INFO"},
		[]string{"INFO", "replication"},
		[]string{"INFO", "cluster"})
	if err != nil {
		return nil, err
	}
	hello, myID, slots, shards, info := replies[0], replies[1], replies[2], replies[3], replies[4]
	mode, role := identity(hello, slots, replies[5], replies[6])
	switch mode {
	case "standalone":
		return &view{primary: role != "slave" && role != "replica"}, nil
	case "cluster":
	case "":
		return nil, firstError(slots, hello)
	default:
		return nil, &ReplyError{Command: "HELLO", Reason: "the node runs in " + strconv.Quote(mode) + " mode"}
	}

	v := &view{cluster: true}
	if text, err := info.ToString(); err == nil {
		fields := parseInfo(text)
		v.epoch, _ = strconv.ParseUint(fields["cluster_current_epoch"], 10, 64)
		if fields["cluster_state"] == "ok" {
			v.state = stateOK
		}
	} else {
		v.state = stateUnknown
	}
	asked := asked{host: hostOf(p.addr), tls: p.config.TLS != nil}
	asked.id, _ = myID.ToString()
	// A user who may not run one of the two commands may be allowed the other.
	var rows []slotRow
	message, err := slots.ToMessage()
	if err == nil {
		rows, err = asked.parseSlots(message)
	}
	var groups []shardRow
	message, shardsErr := shards.ToMessage()
	if shardsErr == nil {
		groups, shardsErr = asked.parseShards(message)
	}
	if err != nil && shardsErr != nil {
		return nil, err
	}
	v.shards, v.layout = merge(rows, groups, err == nil)
	return v, nil
}

// identity finds out in which mode a node runs ("standalone", "cluster", another
// one, or "" when it cannot be told) and its role. HELLO, which no ACL can forbid,
// says both; for what does not know HELLO the other replies have to do.
func identity(hello, slots, replication, cluster valkey.ValkeyResult) (mode, role string) {
	if fields, err := hello.AsMap(); err == nil {
		mode, role = stringIn(fields, "mode"), stringIn(fields, "role")
	}
	if text, err := replication.ToString(); err == nil && role == "" {
		role = parseInfo(text)["role"]
	}
	if mode != "" {
		return mode, role
	}
	if text, err := cluster.ToString(); err == nil {
		switch parseInfo(text)["cluster_enabled"] {
		case "0":
			return "standalone", role
		case "1":
			return "cluster", role
		}
	}
	err := slots.Error()
	if err == nil {
		return "cluster", role
	}
	if refused, ok := valkey.IsValkeyErr(err); ok {
		if text := refused.Error(); strings.Contains(text, "cluster support disabled") ||
			strings.Contains(strings.ToLower(text), "unknown command") {
			return "standalone", role
		}
	}
	return "", role
}

// firstError returns the first error among the replies.
func firstError(replies ...valkey.ValkeyResult) error {
	for _, r := range replies {
		if err := r.Error(); err != nil {
			return err
		}
	}
	return errors.New("the node does not tell what it is")
}

// parseInfo reads the "name:value" lines of INFO and CLUSTER INFO.
func parseInfo(text string) map[string]string {
	fields := make(map[string]string)
	// RESP3 has a verbatim string here, whose format valkey-go leaves in front.
	for line := range strings.Lines(strings.TrimPrefix(text, "txt:")) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

func stringIn(m map[string]valkey.ValkeyMessage, name string) string {
	v, ok := m[name]
	if !ok {
		return ""
	}
	s, err := v.ToString()
	if err != nil {
		return ""
	}
	return s
}

func intIn(m map[string]valkey.ValkeyMessage, name string) int64 {
	v, ok := m[name]
	if !ok {
		return 0
	}
	n, err := v.AsInt64()
	if err != nil {
		return 0
	}
	return n
}
