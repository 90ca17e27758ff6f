package config

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// help returns what the program prints for the arguments.
func help(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	func() {
		defer func() { _ = recover() }()
		_, _ = Parse(args, "v0", Streams{Out: &out, Err: &out, Exit: func(int) { panic("exit") }})
	}()
	// Lines are wrapped to a width that depends on the terminal.
	return strings.Join(strings.Fields(out.String()), " ")
}

// TestHelp checks that plain --help lists every setting with its environment variable and its
// default, and that healthcheck's help does so too.
func TestHelp(t *testing.T) {
	for _, test := range []struct {
		of   reflect.Type
		text string
	}{
		{reflect.TypeFor[Config](), help(t, "--help")},
		{reflect.TypeFor[Healthcheck](), help(t, "healthcheck", "--help")},
	} {
		fields(test.of, func(f reflect.StructField) {
			name, value := f.Tag.Get("name"), f.Tag.Get("default")
			note := "$" + f.Tag.Get("env") + ")"
			if value != "" {
				note = "(default " + value + "; " + note
			}
			if !strings.Contains(test.text, "--"+name) || !strings.Contains(test.text, note) {
				t.Errorf("--%s or %q is missing", name, note)
			}
		})
	}
	if text := help(t, "--help"); strings.Count(text, "Scripts and functions are not looked into") != 2 {
		t.Errorf("the policy's help does not tell what it leaves open: %s", text)
	}
}
