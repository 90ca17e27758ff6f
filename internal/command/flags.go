package command

// Flags are properties of a command, as the server reports them.
type Flags uint32

// Flag is one of Flags.
type Flag = Flags

// The flags of COMMAND's reply that matter to anyone here. NoMulti commands are refused
// inside MULTI by the server; NoMandatoryKeys commands may come without any key (EVAL ... 0);
// TouchesArbitraryKeys ones reach keys that they do not name (CLUSTERSCAN).
const (
	Write Flag = 1 << iota
	ReadOnly
	DenyOOM
	Module
	Admin
	PubSub
	NoScript
	Blocking
	Loading
	Stale
	Fast
	NoAuth
	NoMulti
	NoAsyncLoading
	AllowBusy
	MovableKeys
	NoMandatoryKeys
	TouchesArbitraryKeys
)

var flagNames = map[string]Flag{
	"write":             Write,
	"readonly":          ReadOnly,
	"denyoom":           DenyOOM,
	"module":            Module,
	"admin":             Admin,
	"pubsub":            PubSub,
	"noscript":          NoScript,
	"blocking":          Blocking,
	"loading":           Loading,
	"stale":             Stale,
	"fast":              Fast,
	"no_auth":           NoAuth,
	"no_multi":          NoMulti,
	"no_async_loading":  NoAsyncLoading,
	"allow_busy":        AllowBusy,
	"movablekeys":       MovableKeys,
	"no_mandatory_keys": NoMandatoryKeys,

	"touches_arbitrary_keys": TouchesArbitraryKeys,
}
