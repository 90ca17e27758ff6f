package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// file is the settings of a YAML file. It resolves flags that neither the command line nor
// the environment sets.
type file struct {
	path   string
	values map[string]any
}

// maxFile is the largest settings file that is read, in bytes.
const maxFile = 1 << 20

// readFile reads a settings file: one mapping from flag names to scalars or lists of scalars.
func readFile(path string) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("config: %s: %w", path, err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("config: %s: the file is over the limit of %d bytes", path, maxFile)
	}
	return parseFile(path, data)
}

func parseFile(path string, data []byte) (*file, error) {
	out := &file{path: path, values: map[string]any{}}
	var nodes map[string]yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	switch err := decoder.Decode(&nodes); {
	case errors.Is(err, io.EOF):
		return out, nil // an empty file
	case err != nil:
		return nil, fmt.Errorf("config: %s: %w", path, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("config: %s: more than one document", path)
	}
	for key, node := range nodes {
		value, err := valueOf(&node)
		if err != nil {
			return nil, fmt.Errorf("config: %s:%d: %s: %w", path, node.Line, key, err)
		}
		if value != nil {
			out.values[key] = value
		}
	}
	return out, nil
}

// valueOf returns a scalar as the text it is written as, so that it is read by the same rules
// as a flag's; a list as its elements' texts; and nil for a key without a value.
func valueOf(node *yaml.Node) (any, error) {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag == "!!null":
		return nil, nil
	case node.Kind == yaml.ScalarNode:
		return node.Value, nil
	case node.Kind != yaml.SequenceNode:
		return nil, errors.New("must be a single value or a list of them")
	}
	list := make([]any, 0, len(node.Content))
	for _, element := range node.Content {
		for element.Kind == yaml.AliasNode {
			element = element.Alias
		}
		if element.Kind != yaml.ScalarNode || element.Tag == "!!null" {
			return nil, errors.New("the elements of a list must be single values")
		}
		list = append(list, element.Value)
	}
	return list, nil
}

// check refuses keys that are no settings of serve, and lists for settings that take a single
// value.
func (f *file) check(app *kong.Application) error {
	known := map[string]*kong.Flag{}
	for _, child := range app.Children {
		if child.Name == "serve" {
			for _, flag := range child.Flags {
				known[flag.Name] = flag
			}
		}
	}
	delete(known, "config") // a file does not name another
	for _, key := range slices.Sorted(maps.Keys(f.values)) {
		flag, ok := known[key]
		if !ok {
			return fmt.Errorf("config: %s: %q is no setting; --help lists them", f.path, key)
		}
		if _, list := f.values[key].([]any); list && !flag.IsSlice() {
			return fmt.Errorf("config: %s: %s takes a single value, not a list", f.path, key)
		}
	}
	return nil
}

// value returns what the file says of a setting. A nil file says nothing.
func (f *file) value(key string) (any, bool) {
	if f == nil {
		return nil, false
	}
	value, ok := f.values[key]
	return value, ok
}

// Validate implements kong.Resolver. The file is checked before the command line is parsed,
// so that a misplaced key is reported as what it is.
func (f *file) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver. Values of the environment are in place before resolvers
// are asked, and must stay there.
func (f *file) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if _, _, ok := fromEnvironment(flag); ok {
		return nil, nil
	}
	value, _ := f.value(flag.Name)
	return value, nil
}
