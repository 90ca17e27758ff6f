package executor

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/options"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// keyless is the slot of a command that has none.
const keyless = -1

// item is what is known of one command before it is planned.
type item struct {
	// info is the command's entry in the table; nil if neither the table nor the deployment
	// knows it. It is never sent then: a server may know a command by another name
	// (rename-command), past everything that is refused by name.
	info *command.Info
	// slot is the hash slot of the first key, or keyless.
	slot int32
	// otherSlot is the slot of the first key that lies elsewhere, or keyless.
	otherSlot int32
	// splits is whether the command is to be split over slots.
	splits bool
	// class is the class of connection that the command needs: one to itself when it blocks,
	// when it changes the connection, and when it runs a script, during which the server reads
	// nothing more from the connection that it came on, not even the SCRIPT KILL that would end it.
	class node.Class
	// selects is whether the command is SELECT.
	selects bool
	// subcommand is whether, with info nil, the container is known and only the subcommand is not.
	subcommand bool
}

// name returns the command's name for messages: "config set".
func (it item) name(args [][]byte) string {
	if it.info != nil {
		return it.info.Name
	}
	const longest = 64
	name := strings.ToLower(strings.ToValidUTF8(string(args[0][:min(len(args[0]), longest)]), "?"))
	return name
}

// scripted reports whether the command may run a caller's code, so that its error texts prove nothing.
func (it item) scripted() bool { return it.info.ErrorsUntrusted() }

// prepare looks up and checks every command, so that whatever is wrong with the batch is
// found before anything of it is sent.
func (r *run) prepare(ctx context.Context) error {
	r.items = slices.Grow(r.items[:0], len(r.batch.Commands))[:len(r.batch.Commands)]
	table, access := r.cfg.Commands.Table(), r.batch.Access
	var last *command.Info // the command before, if all that is said of it holds for its namesakes
	var lastName []byte
	for i, args := range r.batch.Commands {
		if len(args) == 0 || len(args[0]) == 0 {
			return r.invalid(i, "EMPTY_COMMAND", "the command has no name")
		}
		it := &r.items[i]
		if last != nil && bytes.Equal(args[0], lastName) {
			it.info, it.slot, it.otherSlot = last, keyless, keyless
			if access != nil {
				if err := r.granted(i, access, args); err != nil {
					return err
				}
			}
			r.place(it, args)
			continue
		}
		last = nil
		info, ok := table.Lookup(args)
		if !ok {
			name, container := table.Unknown(args)
			it.subcommand = container != nil
			// What is refused or denied as a whole needs no question.
			if err := r.forbid(i, container); err != nil {
				return err
			}
			known, err := r.cfg.Commands.Learn(ctx, name)
			if err != nil {
				if ctx.Err() != nil {
					return r.deadlineError(ctx, 0)
				}
				return &UnavailableError{Cause: fmt.Errorf("%q is not in the command table, and the deployment could not be asked about it: %w", item{}.name(args), err)}
			}
			if known {
				table = r.cfg.Commands.Table()
				info, _ = table.Lookup(args)
			}
		}
		it.info, it.slot, it.otherSlot = info, keyless, keyless
		if info == nil {
			continue
		}
		if err := r.permit(i, info); err != nil {
			return err
		}
		if access != nil {
			if err := r.granted(i, access, args); err != nil {
				return err
			}
		}
		if !it.selects && !info.Container() {
			last, lastName = info, args[0]
		}
		r.place(it, args)
	}
	return nil
}

// place finds out on which connection and in which slots a command belongs.
func (r *run) place(it *item, args [][]byte) {
	switch {
	case it.info.Blocks(args):
		it.class, r.apart, r.blocks = node.Blocking, true, true
	case it.info.RunsScript(), it.selects:
		it.class, r.apart = node.Exclusive, true
	}
	if r.cluster {
		r.keys = it.locate(args, r.keys[:0])
		it.splits = it.otherSlot != keyless && it.info.Request == command.MultiShard
	}
}

// unknownCommand is the error of a command that the deployment does not know, in the words
// in which Valkey itself begins it.
func (it item) unknownCommand(args [][]byte) *CommandError {
	message := "ERR unknown command '" + it.name(args) + "'"
	if it.subcommand {
		message = "ERR unknown subcommand '" + it.name(args[1:]) + "'. Try " + strings.ToUpper(it.name(args)) + " HELP."
	}
	return &CommandError{Code: "ERR", Message: message, Outcome: NotExecuted}
}

// forbid refuses what would break a shared connection and what the operator's policy denies.
func (r *run) forbid(i int, info *command.Info) error {
	if reason, refused := info.Refused(); refused {
		return r.invalid(i, "COMMAND_REFUSED", reason)
	}
	if reason, denied := r.cfg.Policy.Denied(info); denied {
		return r.invalid(i, "COMMAND_DENIED", reason)
	}
	return nil
}

// granted refuses what the caller may not do.
func (r *run) granted(i int, access *command.Access, args [][]byte) error {
	it := &r.items[i]
	if refusal := access.Refuses(it.info, args); refusal != nil {
		return &DeniedError{Index: i, Command: it.name(args), Rule: refusal.Rule, Reason: refusal.Reason}
	}
	return nil
}

// permit refuses what is forbidden, and what does not work on the deployment at hand.
func (r *run) permit(i int, info *command.Info) error {
	if err := r.forbid(i, info); err != nil {
		return err
	}
	if r.cluster && info.KeysUnknown() && r.opts.Route.Kind == options.RouteNone {
		return r.invalid(i, "ROUTE_REQUIRED", fmt.Sprintf("the deployment does not say where the keys of %s are, so on a cluster it needs a route (cluster_options.route)", info.Name))
	}
	if info.Name == "select" {
		if r.cluster {
			return r.invalid(i, "COMMAND_REFUSED", "select works on standalone deployments only")
		}
		r.items[i].selects, r.selects = true, true
	}
	return nil
}

// locate finds the slots of a command's keys. keys is scratch space, returned for reuse.
func (it *item) locate(args [][]byte, keys []int) []int {
	keys, err := it.info.Keys(args, keys)
	if err != nil {
		return keys // malformed: any node words the error
	}
	for _, k := range keys {
		slot := int32(slotmap.Slot(args[k]))
		if it.slot == keyless {
			it.slot = slot
		} else if slot != it.slot {
			it.otherSlot = slot
			return keys
		}
	}
	if it.slot == keyless {
		it.slot = slotArgument(it.info, args)
	}
	return keys
}

// slotArgument returns the slot that a command names by number, as GLIDE routes these, or keyless.
func slotArgument(info *command.Info, args [][]byte) int32 {
	switch info.Name {
	case "cluster countkeysinslot", "cluster getkeysinslot":
		if len(args) > 2 {
			if slot, err := strconv.ParseUint(string(bytes.TrimSpace(args[2])), 10, 16); err == nil && slot < slotmap.Slots {
				return int32(slot)
			}
		}
	}
	return keyless
}

// invalid words what is wrong with command i.
func (r *run) invalid(i int, reason, message string) error {
	metadata := map[string]string{"index": strconv.Itoa(i)}
	if args := r.batch.Commands[i]; len(args) > 0 && len(args[0]) > 0 {
		metadata["command"] = r.items[i].name(args)
	}
	return &InvalidError{
		Field:    fmt.Sprintf("batch.commands[%d].args", i),
		Index:    i,
		Reason:   reason,
		Message:  message,
		Metadata: metadata,
	}
}
