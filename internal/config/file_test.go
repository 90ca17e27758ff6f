package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFile(t *testing.T) {
	got := mustLoad(t, "--config", write(t, "c.yaml", `
# A comment.
listen:
  - 127.0.0.1:1
  - unix:///run/a,b.sock
valkey: one:6379
valkey-password: 0123
max-commands: 7
max-reply-bytes: 1MiB
default-timeout: 100ms
deny-command: []
client-name:
`))
	if diff := cmp.Diff([]string{"127.0.0.1:1", "unix:///run/a,b.sock"}, got.Listen); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"one:6379"}, got.Valkey.Seeds); diff != "" {
		t.Error(diff)
	}
	if got.Valkey.Password != "0123" {
		t.Errorf("the password is %q: text must not be read as a number", string(got.Valkey.Password))
	}
	if got.Limits.MaxCommands != 7 || got.Limits.MaxReplyBytes != MiB || got.Limits.DefaultTimeout != 100*time.Millisecond {
		t.Errorf("%+v", got.Limits)
	}
	if got.Valkey.ClientName != "valkeybatch" {
		t.Errorf("a key without a value must leave the default, not %q", got.Valkey.ClientName)
	}
	mustLoad(t, "--config", write(t, "empty.yaml", ""))
}
