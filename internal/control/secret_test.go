package control

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/credential"
	"github.com/valkeybatch/valkeybatch/internal/resp"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// TestPasswordStaysSecret has servers that do not know HELLO or AUTH, and repeat what they
// were given.
func TestPasswordStaysSecret(t *testing.T) {
	const password = "s3cr3tpw"
	for name, answer := range map[string]func(args []string) string{
		"unknown command": func(args []string) string {
			return fmt.Sprintf("ERR unknown command '%s', with args beginning with: '%s' ", args[0], strings.Join(args[1:], "' '"))
		},
		"proxy":     func(args []string) string { return "bad request: " + strings.Join(args, " ") },
		"WRONGPASS": func(args []string) string { return "WRONGPASS not " + strings.Join(args[1:], " ") },
	} {
		t.Run(name, func(t *testing.T) {
			s := valkeytest.StartScripted(t, func(_ int, args []string) []byte { return resp.AppendError(nil, answer(args)) })
			var log bytes.Buffer
			c := client(t, Config{Seeds: []string{s.Addr()}, Password: credential.Fixed(password), Logger: slog.New(slog.NewTextHandler(&log, nil))})
			_, err := c.Topology(within(t))
			if err == nil || strings.Contains(err.Error(), password) || !strings.Contains(err.Error(), "handshake") {
				t.Errorf("topology: %v", err)
			}
			if err = c.Health(within(t)); err == nil || strings.Contains(err.Error(), password) {
				t.Errorf("health: %v", err)
			}
			if _, err = c.Commands(within(t)); err == nil || strings.Contains(err.Error(), password) {
				t.Errorf("commands: %v", err)
			}
			c.Close()
			if strings.Contains(log.String(), password) {
				t.Errorf("log: %s", &log)
			}
		})
	}
}
