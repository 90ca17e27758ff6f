package config

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// commandFlags are the flags of all commands.
func commandFlags(app *kong.Application) []*kong.Flag {
	flags := slices.Clone(app.Flags)
	for _, child := range app.Children {
		flags = append(flags, child.Flags...)
	}
	return flags
}

// origin is where a value is from.
type origin struct {
	// flag says that the command line holds it, byDefault that nothing does.
	flag, byDefault bool
	// source is the environment variable or the file that holds it.
	source string
}

// String says where the value is from.
func (o origin) String() string {
	switch {
	case o.byDefault:
		return "default"
	case o.flag:
		return "command line"
	default:
		return o.source
	}
}

// originsOf tells where each setting's value is from, by the setting's name.
func originsOf(app *kong.Application, args []string, values *file) map[string]origin {
	origins := make(map[string]origin)
	for _, flag := range commandFlags(app) {
		env, _, inEnvironment := fromEnvironment(flag)
		_, inFile := values.value(flag.Name)
		switch {
		case onCommandLine(flag, args):
			origins[flag.Name] = origin{flag: true}
		case inEnvironment:
			origins[flag.Name] = origin{source: env}
		case inFile:
			origins[flag.Name] = origin{source: values.path}
		default:
			origins[flag.Name] = origin{byDefault: true}
		}
	}
	return origins
}

// misplaced returns the error of the first value of the environment or the file that its
// setting cannot hold, and nil if there is none. The parser's own errors do not tell which
// of the two a value was from.
func misplaced(app *kong.Application, args []string, values *file) error {
	for _, flag := range commandFlags(app) {
		if onCommandLine(flag, args) {
			continue
		}
		var value any
		env, text, ok := fromEnvironment(flag)
		source := env
		if value = text; !ok {
			if value, ok = values.value(flag.Name); !ok {
				continue
			}
			source = values.path
		}
		if err := fits(flag, value); err != nil {
			return &SettingError{Key: flag.Name, Source: source, Err: err}
		}
	}
	return nil
}

// onCommandLine reports whether the arguments hold the flag.
func onCommandLine(flag *kong.Flag, args []string) bool {
	name := "--" + flag.Name
	return slices.ContainsFunc(args, func(arg string) bool {
		return arg == name || strings.HasPrefix(arg, name+"=")
	})
}

// fromEnvironment returns the environment variable that sets a flag, and its value.
func fromEnvironment(flag *kong.Flag) (name, value string, ok bool) {
	for _, name := range flag.Tag.Envs {
		if value, ok := os.LookupEnv(name); ok {
			return name, value, true
		}
	}
	return "", "", false
}

// fits checks that a flag can hold a value. The flag stays as it is.
func fits(flag *kong.Flag, value any) error {
	target := reflect.New(flag.Target.Type()).Elem()
	scan := kong.Scan().PushTyped(value, kong.FlagValueToken)
	if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, target); err != nil {
		return err
	}
	if text, ok := value.(string); ok && flag.Enum != "" && !slices.Contains(flag.EnumSlice(), text) {
		return errors.New(strconv.Quote(text) + " is none of " + strings.Join(flag.EnumSlice(), ", "))
	}
	return nil
}
