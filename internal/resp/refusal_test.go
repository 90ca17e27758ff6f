package resp_test

import (
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/resp"
)

func TestRefusal(t *testing.T) {
	const withheld = " (the server's words are withheld: the password may be among them)"
	for _, tc := range []struct{ text, secret, want string }{
		{"ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' 's3cret' ", "s3cret", "ERR unknown command"},
		{"unknown command `HELLO`, with args beginning with: `3`", "s3cret", "ERR unknown command"},
		{"ERR max number of clients reached", "s3cret", "ERR max number of clients reached"},
		{"ERR bad request: HELLO 3 AUTH default s3cret", "s3cret", "ERR" + withheld},
		{"ERR bad request: HELLO 3 AUTH default s3c...", "s3cret", "ERR" + withheld},
		{"S3CRET is not what I expect", "S3CRET", "ERR" + withheld},
		{"BACKEND gone", "s3cret", "BACKEND" + withheld},
		{"", "", "ERR" + withheld},
		{"ERR AUTH <password> called without any password configured for the default user.", "s3cret",
			"ERR a password was given, and the server has none configured"},
		{"WRONGPASS invalid username-password pair or user is disabled.", "s3cret", "WRONGPASS invalid username-password pair or user is disabled."},
		{"WRONGPASS s3cret is wrong", "s3cret", "WRONGPASS (the server's words are withheld: the password is among them)"},
		{"NOPROTO unsupported protocol version", "", "NOPROTO unsupported protocol version"},
	} {
		got := resp.Refusal(tc.text, tc.secret)
		if got != tc.want {
			t.Errorf("%q: %q, want %q", tc.text, got, tc.want)
		}
		if tc.secret != "" && strings.Contains(got, tc.secret) {
			t.Errorf("%q: the secret is in %q", tc.text, got)
		}
	}
}
