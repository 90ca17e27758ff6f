package executor

import (
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/resp"
)

func TestRetriable(t *testing.T) {
	items := itemsOf(cmds("EVAL x 0", "SET k v"))
	script, plain := items[0], items[1]
	for text, own := range map[string]bool{
		"LOADING Valkey is loading the dataset in memory":                                      true,
		"LOADING Redis is loading the dataset in memory":                                       true,
		"CLUSTERDOWN Hash slot not served":                                                     true,
		"CLUSTERDOWN The cluster is down":                                                      true,
		"CLUSTERDOWN The cluster is down and only accepts read commands":                       true,
		"TRYAGAIN Multiple keys request during rehashing of slot":                              true,
		"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.":     true,
		"READONLY You can't write against a read only replica.":                                true,
		"READONLY You can't write against a read only replica. script: 2f, on @user_script:1.": false,
		"TRYAGAIN x": false,
		"TRYAGAIN":   false,
		"TRYAGAIN Multiple keys request during rehashing of slot 7": false,
		"LOADING x is loading the dataset in memory":                false,
		"CLUSTERDOWN The cluster is down for maintenance":           false,
		"MASTERDOWN x": false,
		"READONLY x":   false,
	} {
		err := &CommandError{Message: text}
		if got := retriable(err, script); got != own {
			t.Errorf("%q of a script may be followed by another try: %v, want %v", text, got, own)
		}
		if !retriable(err, plain) {
			t.Errorf("%q of SET may not be followed by another try", text)
		}
	}
}

func TestServerErrorOutcome(t *testing.T) {
	plain := itemsOf(cmds("EVAL x 0", "EVALSHA x 0", "SET k v"))
	eval, evalSHA, set := plain[0], plain[1], plain[2]
	module := item{info: &command.Info{Name: "json.set", Flags: command.Module}}
	for _, tt := range []struct {
		it   item
		name string
		text string
		want Outcome
	}{
		{set, "SET", "ERR unknown command 'SET', with args beginning with: 'k' 'v' ", NotExecuted},
		{set, "SET", "OOM command not allowed when used memory > 'maxmemory'.", NotExecuted},
		{set, "SET", "WRONGTYPE x", Failed},
		{module, "JSON.Set", "ERR unknown command 'JSON.Set', with args beginning with: 'k' '$' ", NotExecuted},
		{module, "JSON.Set", "ERR unknown command 'GET', with args beginning with: 'k' ", Failed}, // called by the module
		{module, "JSON.Set", "ERR unknown command", Failed},
		{module, "JSON.Set", "OOM x", Failed},
		{eval, "EVAL", "ERR unknown command 'EVAL', with args beginning with: 'x' ", Failed},
		{evalSHA, "EVALSHA", "NOSCRIPT No matching script.", Failed}, // a script can say so too
	} {
		args := [][]byte{[]byte(tt.name), []byte("k")}
		got := serverError(resp.Frame(resp.AppendError(nil, tt.text)), tt.it, args, "n:1")
		if got.Outcome != tt.want {
			t.Errorf("%q of %s has outcome %d, want %d", tt.text, tt.name, got.Outcome, tt.want)
		}
	}
}

// TestScriptsCannotSpeakForThisPackage: of a script's error the text stays, and the code is no code
// of this package's own.
func TestScriptsCannotSpeakForThisPackage(t *testing.T) {
	eval := itemsOf(cmds("EVAL x 0"))[0]
	for code, want := range map[string]string{CodeConnection: "ERR", CodeTimeout: "ERR", CodeReply: "ERR", "CONNECTIONS": "CONNECTIONS"} {
		text := code + " lost"
		got := serverError(resp.Frame(resp.AppendError(nil, text)), eval, [][]byte{[]byte("EVAL"), []byte("x"), []byte("0")}, "n:1")
		if got.Code != want || got.Message != text || got.Outcome != Failed {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
