package config

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// namesFile reports whether a setting is the name of a file, which is not read here.
func namesFile(s Setting) bool {
	return s.Name == "config" || s.Placeholder == "FILE"
}

// fuzzed are the settings whose values are tried.
func fuzzed() []Setting { return slices.DeleteFunc(Settings(), namesFile) }

// read reads a command line as the program does; help ends the program, and so the attempt.
func read(args []string, values *file) (err error) {
	exited := errors.New("exit")
	defer func() {
		if cause := recover(); cause == exited {
			err = nil
		} else if cause != nil {
			panic(cause)
		}
	}()
	out, err := parse(args, "v0", Streams{Out: new(bytes.Buffer), Err: new(bytes.Buffer), Exit: func(int) { panic(exited) }}, values)
	if err != nil {
		return err
	}
	config := &out.cli.Serve
	config.normalize()
	return located(config.Check(), out.origins)
}

// FuzzEnvironment: no value of an environment variable makes reading the settings panic, and
// each refusal names the setting.
func FuzzEnvironment(f *testing.F) {
	settings := fuzzed()
	values := []string{"", "x", "-1", "1", "1e999", "9223372036854775808", ",", "${VALKEYBATCH_LISTEN}"}
	for i := range settings {
		f.Add(uint8(i), values[i%len(values)])
	}
	f.Fuzz(func(t *testing.T, which uint8, value string) {
		if strings.ContainsRune(value, 0) {
			return // no variable can hold it
		}
		s := settings[int(which)%len(settings)]
		t.Setenv(s.Env, value)
		if err := read(nil, nil); err != nil && !strings.Contains(err.Error(), s.Name) {
			t.Errorf("%s=%q: %v", s.Env, value, err)
		}
	})
}

// FuzzFlag: the same of flags.
func FuzzFlag(f *testing.F) {
	settings := fuzzed()
	values := []string{"", "x", "-1", "1", "1e999", "a,b", "--", "=", `"`}
	for i := range settings {
		f.Add(uint8(i), values[i%len(values)])
	}
	f.Fuzz(func(t *testing.T, which uint8, value string) {
		s := settings[int(which)%len(settings)]
		if err := read([]string{"--" + s.Name + "=" + value}, nil); err != nil && !strings.Contains(err.Error(), s.Name) {
			t.Errorf("--%s=%q: %v", s.Name, value, err)
		}
	})
}

// FuzzFile: the same of files, whose refusals name the file or the setting.
func FuzzFile(f *testing.F) {
	for _, text := range []string{
		"listen: [a, b]\nmax-commands: 1\n", "a: &x [b]\nc: *x\n", "max-commands: 1e3\n", "valkey: {a: b}\n", "listen: &a [*a]\n", "listen: &a\n- *a\n",
		"? [a]\n: b\n", "<<: {listen: a}\n", "max-commands: !!binary aGk=\n", "valkey-tls: true\n", "listen: []\n", "--- a\n--- b\n", "default-timeout: 10m\nmax-timeout: 1m\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := parseFile("settings.yaml", data)
		if err == nil {
			for _, s := range Settings() {
				if namesFile(s) {
					delete(values.values, s.Name)
				}
			}
			err = read(nil, values)
		}
		if err == nil || strings.Contains(err.Error(), "settings.yaml") {
			return
		}
		for _, s := range Settings() {
			if strings.Contains(err.Error(), s.Name) {
				return
			}
		}
		t.Errorf("%q: %v", data, err)
	})
}
