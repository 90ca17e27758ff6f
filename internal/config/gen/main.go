// Command gen writes the reference of the settings, docs/configuration.md, from the tags of
// the config package's structs.
package main

import (
	_ "embed"
	"flag"
	"fmt"
	"os"
	"strings"
	"text/template"

	"github.com/valkeybatch/valkeybatch/internal/config"
)

//go:embed configuration.md.tmpl
var page string

// group is the settings under one heading.
type group struct {
	Name     string
	Settings []config.Setting
}

func main() {
	output := flag.String("o", "configuration.md", "the `file` to write")
	flag.Parse()
	if err := run(*output); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(output string) error {
	parsed, err := template.New("configuration.md").Funcs(template.FuncMap{
		"default": defaultOf, "allowed": allowed, "cell": cell,
	}).Parse(page)
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := parsed.Execute(&text, groups()); err != nil {
		return err
	}
	return os.WriteFile(output, []byte(text.String()), 0o644)
}

// groups returns the settings by group, in the order in which the groups first occur.
func groups() []*group {
	var out []*group
	byName := make(map[string]*group)
	for _, s := range config.Settings() {
		g := byName[s.Group]
		if g == nil {
			g = &group{Name: s.Group}
			byName[s.Group] = g
			out = append(out, g)
		}
		g.Settings = append(g.Settings, s)
	}
	return out
}

func defaultOf(s config.Setting) string {
	if s.Default == "" {
		return ""
	}
	return code(s.Default)
}

// allowed says which values a setting takes.
func allowed(s config.Setting) string {
	switch {
	case s.Words != "":
		words := strings.Split(s.Words, ",")
		for i, word := range words {
			words[i] = code(word)
		}
		return strings.Join(words, ", ")
	case s.Least != "":
		return code(s.Least) + " to " + code(s.Most)
	case s.Repeatable:
		return "a list of " + s.Placeholder
	case s.Placeholder != "":
		return s.Placeholder
	default:
		return "`true`, `false`"
	}
}

func code(text string) string { return "`" + text + "`" }

// cell keeps a text within its cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }
