package config

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// effective writes the settings as a file for --config that has the same effect, each with
// where it is from. A secret stands there as a comment: the file is made to be shown.
func (c *Config) effective(origins map[string]origin) string {
	var out strings.Builder
	group := ""
	for _, s := range Settings() {
		if s.Name == "config" {
			continue // a file does not name another
		}
		if s.Group != group {
			if group != "" {
				out.WriteByte('\n')
			}
			group = s.Group
			fmt.Fprintf(&out, "# %s\n", group)
		}
		value := reflect.ValueOf(c).Elem().FieldByIndex(s.index)
		if s.Secret && !value.IsZero() {
			fmt.Fprintf(&out, "# %s: %v", s.Name, value)
		} else {
			fmt.Fprintf(&out, "%s: %s", s.Name, scalar(value))
		}
		fmt.Fprintf(&out, " # %v\n", origins[s.Name])
	}
	return out.String()
}

// scalar writes a value as YAML on one line.
func scalar(value reflect.Value) string {
	node := textNode(fmt.Sprint(value))
	switch value.Kind() {
	case reflect.Bool, reflect.Int, reflect.Float64:
		node.Tag = ""
	case reflect.Slice:
		node = &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for i := range value.Len() {
			node.Content = append(node.Content, textNode(fmt.Sprint(value.Index(i))))
		}
	}
	text, err := yaml.Marshal(node)
	if err != nil {
		return "" // scalars and lists of them always can be written
	}
	return strings.TrimRight(string(text), "\n")
}

// textNode is a text that stays on one line.
func textNode(text string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if strings.ContainsFunc(text, unicode.IsControl) {
		node.Style = yaml.DoubleQuotedStyle
	}
	return node
}
