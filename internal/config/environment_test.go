package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSettingsWithoutValkey checks that settings for a real Valkey do not end up with the
// in-memory store.
func TestSettingsWithoutValkey(t *testing.T) {
	for _, s := range settings(t) {
		if !strings.HasPrefix(s.flag, "valkey-") {
			continue
		}
		_, err := load(t, "--"+s.flag+"="+s.value)
		says(t, err, s.flag, "--valkey is not")
	}
	mustLoad(t, "--client-name=x", "--topology-refresh=1s", "--availability-zone=z")
	for _, name := range []string{"VALKEYBATCH_VALKEY_SEEDS", "VALKEYBATCH_VALKEYS", "VALKEYBATCH_VALKEY_PASWORD"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "a:1")
			_, err := load(t)
			says(t, err, name, "VALKEYBATCH_VALKEY")
			mustLoad(t, "--valkey=a:1")
		})
	}
}

func TestUnknownEnvironment(t *testing.T) {
	out, err := parse(nil, "v0", Streams{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := unknownEnvironment(out.app, []string{
		"VALKEYBATCH_MAX_COMANDS=1", "VALKEYBATCH_=x", "VALKEYBATCH_VALKEY_PORT=6379", "VALKEYBATCH_LISTEN_PORT",
		// Known, of both commands.
		"VALKEYBATCH_MAX_COMMANDS=1", "VALKEYBATCH_CONFIG=x", "VALKEYBATCH_HEALTHCHECK_ADDRESS=x",
		// Others' business.
		"PATH=x", "VALKEYBATCHES=x", "valkeybatch_x=y", "OLD_VALKEYBATCH_X=y", "",
		// What Kubernetes sets for Services named valkeybatch and valkeybatch-valkey.
		"VALKEYBATCH_SERVICE_HOST=10.0.0.1", "VALKEYBATCH_SERVICE_PORT=7400", "VALKEYBATCH_SERVICE_PORT_GRPC=7400",
		"VALKEYBATCH_PORT=tcp://10.0.0.1:7400", "VALKEYBATCH_PORT_7400_TCP=tcp://10.0.0.1:7400", "VALKEYBATCH_PORT_7400_TCP_PROTO=tcp",
		"VALKEYBATCH_PORT_7400_TCP_PORT=7400", "VALKEYBATCH_PORT_7400_TCP_ADDR=10.0.0.1",
		"VALKEYBATCH_VALKEY_SERVICE_HOST=10.0.0.2", "VALKEYBATCH_VALKEY_SERVICE_PORT=6379", "VALKEYBATCH_VALKEY_PORT=tcp://10.0.0.2:6379",
		"VALKEYBATCH_VALKEY_PORT_6379_TCP=tcp://10.0.0.2:6379", "VALKEYBATCH_VALKEY_PORT_6379_TCP_ADDR=10.0.0.2",
	})
	want := []string{"VALKEYBATCH_", "VALKEYBATCH_LISTEN_PORT", "VALKEYBATCH_MAX_COMANDS", "VALKEYBATCH_VALKEY_PORT"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	t.Setenv("VALKEYBATCH_MAX_COMANDS", "1")
	command, err := Parse(nil, "v0", Streams{})
	if err != nil || !slices.Contains(command.UnknownEnvironment, "VALKEYBATCH_MAX_COMANDS") {
		t.Errorf("%+v, %v", command, err)
	}
}
