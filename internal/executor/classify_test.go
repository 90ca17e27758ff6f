package executor

import "testing"

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
