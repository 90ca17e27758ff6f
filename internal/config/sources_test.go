package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestErrorsNameTheirSource checks that errors in values name the variable, or the file and
// the key, that the value is from.
func TestErrorsNameTheirSource(t *testing.T) {
	for key, value := range map[string]string{
		"max-commands": "x", "log-level": "loud", "max-timeout": "5", "max-reply-bytes": "1.5MiB", // cannot be read
		"max-redirects": "0", "listen": "nowhere", "client-name": "a b", // are read, and out of bounds
		"valkey-password": "p",
	} {
		t.Run(key, func(t *testing.T) {
			path := write(t, "c.yaml", fmt.Sprintf("%s: %q\n", key, value))
			_, err := load(t, "--config="+path)
			says(t, err, key, path)
			t.Setenv(env(key), value)
			_, err = load(t)
			says(t, err, key, env(key))
			_, err = load(t, "--config="+path)
			says(t, err, key, env(key))
		})
	}
	// What a stronger source sets is not looked at.
	mustLoad(t, "--max-commands=1", "--config="+write(t, "c.yaml", "max-commands: many"))
	t.Setenv("VALKEYBATCH_MAX_COMMANDS", "1")
	_, err := load(t, "--max-commands=0")
	says(t, err, "max-commands", "0 is out of range")
	if strings.Contains(err.Error(), "VALKEYBATCH_") {
		t.Errorf("a flag's error names the environment: %v", err)
	}
	var wrong *SettingError
	if !errors.As(err, &wrong) || wrong.Key != "max-commands" {
		t.Errorf("%T", err)
	}
}

func says(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Error("accepted")
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}
