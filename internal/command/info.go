package command

import (
	"strings"

	"github.com/valkeybatch/valkeybatch/internal/command/meta"
	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// Info is what is known of one command or subcommand. It is immutable; a nil *Info has no
// flags and no keys.
type Info struct {
	// Name is in lower case; a subcommand's follows its container's: "config set".
	Name string
	// Arity counts the words of a call, name and subcommand included; negative: at least.
	Arity int
	// Flags are the server's flags.
	Flags Flags
	// Categories are the ACL categories without "@", sorted.
	Categories []string
	// Request and Response are the policies after this package's overrides.
	Request  RequestPolicy
	Response ResponsePolicy

	specs []keySpec
	// fixed is the position of the only key, if that is all there is to know of the keys.
	fixed int
	// byHand finds the keys of a command whose specifications do not (keysByHand).
	byHand func(args [][]byte, dst []int) ([]int, string)
	// unknownKeys is whether nothing here can tell where (all) the keys are.
	unknownKeys bool
	// old is whether the server reported neither tips nor key specifications.
	old bool
	// scripted and refusal are what script.go and refused.go say of the name.
	scripted bool
	refusal  string
	// family is what familyOf says.
	family Family
	// categoryBits and nameBit are what Policy tests first.
	categoryBits, nameBit uint64
	// subs are a container's subcommands by the last word of their names.
	subs map[string]*Info
}

// Has reports whether the command has the flag.
func (c *Info) Has(f Flag) bool { return c != nil && c.Flags&f != 0 }

// Container reports whether calls of the command may name different ones: whether it has
// subcommands, or is one.
func (c *Info) Container() bool {
	return c != nil && (len(c.subs) > 0 || strings.Contains(c.Name, " "))
}

// Step is how many arguments belong to each key of a command that may be split: 1 for MGET
// and DEL, 2 for MSET.
func (c *Info) Step() int {
	if c == nil || len(c.specs) == 0 {
		return 1
	}
	return max(c.specs[0].step, 1)
}

// KeysUnknown reports whether the server does not say where all keys of the command are and
// nothing here knows better, so that Keys gives only those that are known. COMMAND GETKEYS
// tells for a given call.
func (c *Info) KeysUnknown() bool { return c != nil && c.unknownKeys }

// ParseCommandReply reads the reply to COMMAND or COMMAND INFO. Names that the server did
// not know are left out. An error is (or wraps) a *meta.ReplyError.
func ParseCommandReply(f resp.Frame) ([]*Info, error) {
	rows, err := meta.ParseReply(f)
	if err != nil {
		return nil, err
	}
	return infosOf(rows), nil
}

func infosOf(rows []meta.Row) []*Info {
	infos := make([]*Info, len(rows))
	for i := range rows {
		infos[i] = infoOf(&rows[i])
	}
	return infos
}

// infoOf makes of a server's row what the rest of the service goes by.
func infoOf(r *meta.Row) *Info {
	c := &Info{
		Name:       strings.Replace(r.Name, "|", " ", 1),
		Arity:      r.Arity,
		Categories: r.Categories,
		Request:    requestTips[r.Tip("request_policy")],
		Response:   responseTips[r.Tip("response_policy")],
		old:        r.Old,
	}
	for _, flag := range r.Flags {
		c.Flags |= flagNames[flag]
	}
	for _, category := range r.Categories {
		c.categoryBits |= categoryBit(category)
	}
	c.nameBit = nameBit(firstWord(c.Name))
	c.scripted = scripted[c.Name]
	c.refusal = refusalOf(c.Name)
	c.family = familyOf(c)
	c.setKeys(r.Specs)
	c.setPolicies()
	return c
}

// firstWord is the container's name of a subcommand, and the name of any other command.
func firstWord(name string) string {
	first, _, _ := strings.Cut(name, " ")
	return first
}
