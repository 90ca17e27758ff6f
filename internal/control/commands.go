package control

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// Commands returns every command and subcommand of the deployment, as the first known
// node that answers has them (COMMAND). The error is an [*UnavailableError] when
// none does.
func (c *Client) Commands(ctx context.Context) ([]*command.Info, error) {
	return c.commands(ctx, "COMMAND")
}

// CommandInfo returns what the deployment says of one command and its subcommands, or of a
// subcommand ("config set" or "config|set"): nothing when it has none of that name. A name
// that the server keeps for another command (rename-command) is none.
func (c *Client) CommandInfo(ctx context.Context, name string) ([]*command.Info, error) {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == ' ' || r == '|' })
	if len(words) == 0 || len(words) > 2 {
		return nil, nil
	}
	infos, err := c.commands(ctx, "COMMAND", "INFO", strings.Join(words, "|"))
	if err != nil {
		return nil, err
	}
	name = strings.Join(words, " ")
	if !slices.ContainsFunc(infos, func(info *command.Info) bool { return info.Name == name }) {
		return nil, nil
	}
	return slices.DeleteFunc(infos, func(info *command.Info) bool {
		return info.Name != name && !strings.HasPrefix(info.Name, name+" ")
	}), nil
}

// commands asks the known nodes, one after the other's failure, for rows of COMMAND.
func (c *Client) commands(ctx context.Context, args ...string) ([]*command.Info, error) {
	var infos []*command.Info
	found := false
	failed := &UnavailableError{Want: "its commands"}
	addrs := c.known()
	for len(addrs) > 0 && !found {
		// One at a time: the reply is long, and the first one is as good as any other.
		err := survey(ctx, c, addrs[:1], func() bool { return true },
			func(ctx context.Context, p *peer) ([]*command.Info, error) { return askCommands(ctx, p, args) },
			func(a answer[[]*command.Info]) (time.Duration, bool) {
				if found = a.err == nil; found {
					infos = a.v
				} else {
					failed.Nodes = append(failed.Nodes, &NodeError{Addr: a.addr, Err: a.err})
				}
				return 0, true
			})
		if err != nil {
			if len(failed.Nodes) == 0 {
				return nil, err
			}
			return nil, errors.Join(err, failed)
		}
		addrs = addrs[1:]
	}
	if !found {
		return nil, failed
	}
	return infos, nil
}

// askCommands asks one node.
func askCommands(ctx context.Context, p *peer, args []string) ([]*command.Info, error) {
	replies, err := p.ask(ctx, args)
	if err != nil {
		return nil, err
	}
	message, err := replies[0].ToMessage()
	if err != nil {
		return nil, err
	}
	frame, ok := appendFrame(nil, message, 0)
	if !ok {
		return nil, &ReplyError{Command: strings.Join(args, " "), Reason: "the reply is malformed"}
	}
	return command.ParseCommandReply(resp.Frame(frame))
}
