package config

import (
	"strings"

	"github.com/alecthomas/kong"
)

// helpOf is what --help says of a setting: what it means, its default and its environment
// variable.
func helpOf(value *kong.Value) string {
	var notes []string
	if value.HasDefault {
		notes = append(notes, "default "+value.Default)
	}
	for _, env := range value.Tag.Envs {
		notes = append(notes, "$"+env)
	}
	if len(notes) == 0 {
		return value.Help
	}
	return strings.TrimSuffix(value.Help, ".") + " (" + strings.Join(notes, "; ") + ")."
}
