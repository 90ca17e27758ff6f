// Package deploy holds the deployment files at the repository's root to the program that
// they deploy: the container image's recipe and the compose file.
package deploy

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
	"go.yaml.in/yaml/v3"
)

// compose is what these tests look at of a compose file.
type compose struct {
	Services map[string]struct {
		Build       any
		Image       string
		Command     []string
		Entrypoint  []string
		Environment map[string]string
		Ports       []string
		Networks    any
		DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
		Healthcheck *struct{ Test []string }
		StopGrace   time.Duration `yaml:"stop_grace_period"`
	}
	Networks map[string]any
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readCompose(t *testing.T) compose {
	t.Helper()
	var c compose
	if err := yaml.Unmarshal(read(t, "docker-compose.yml"), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// pinned is an image reference that names a full version or a digest.
var pinned = regexp.MustCompile(`(:v?\d+\.\d+\.\d+(-[a-z0-9.]+)?|@sha256:[0-9a-f]{64})$`)

func TestImagesArePinned(t *testing.T) {
	var images []string
	for name, s := range readCompose(t).Services {
		if s.Build == nil {
			images = append(images, s.Image)
		} else if s.Image == "" {
			t.Errorf("service %s: what is built has no name", name)
		}
	}
	for line := range strings.Lines(string(read(t, "Dockerfile"))) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "FROM" {
			f = slices.DeleteFunc(f[1:], func(s string) bool { return strings.HasPrefix(s, "--") })
			images = append(images, f[0])
		}
	}
	if len(images) < 4 {
		t.Fatalf("only these images: %q", images)
	}
	for _, image := range images {
		if !pinned.MatchString(image) {
			t.Errorf("image %s is not pinned", image)
		}
	}
}

// TestComposeStartsInOrder checks that every service waits for services that exist, on
// conditions that can come true.
func TestComposeStartsInOrder(t *testing.T) {
	c := readCompose(t)
	for name, s := range c.Services {
		for on, how := range s.DependsOn {
			other, ok := c.Services[on]
			switch {
			case !ok:
				t.Errorf("%s waits for %s, which is no service", name, on)
			case how.Condition == "service_healthy" && other.Healthcheck == nil:
				t.Errorf("%s waits for the health of %s, which has no check", name, on)
			case how.Condition == "service_started" || how.Condition == "service_healthy" || how.Condition == "service_completed_successfully":
			default:
				t.Errorf("%s waits for %s on the condition %q", name, on, how.Condition)
			}
		}
	}
	server := c.Services["server"]
	if how := server.DependsOn["cluster-init"].Condition; how != "service_completed_successfully" {
		t.Errorf("the server does not wait for the cluster: %q", how)
	}
	seeds := strings.Split(server.Environment["VALKEYBATCH_VALKEY"], ",")
	for _, seed := range seeds {
		if host, _, err := net.SplitHostPort(seed); err != nil || c.Services[host].Image == "" {
			t.Errorf("seed %q is no service (%v)", seed, err)
		}
	}
	nodes := 0
	for name := range c.Services {
		if strings.HasPrefix(name, "valkey-") {
			nodes++
			if c.Services["cluster-init"].DependsOn[name].Condition != "service_healthy" {
				t.Errorf("the cluster is made without waiting for %s", name)
			}
		}
	}
	if nodes != 6 {
		t.Errorf("%d nodes", nodes)
	}
}

// TestSettingsExist checks that the server knows every environment variable that the
// deployment files set, takes their values, and drains within the time it is given.
func TestSettingsExist(t *testing.T) {
	known := map[string]bool{}
	collect(reflect.TypeFor[config.Config](), known)
	if len(known) < 20 {
		t.Fatalf("only these settings: %v", known)
	}
	server := readCompose(t).Services["server"]
	for name, value := range server.Environment {
		if !known[name] {
			t.Errorf("docker-compose.yml sets %s, which the server does not read", name)
		}
		t.Setenv(name, value)
	}
	for _, m := range regexp.MustCompile(`(?m)^ENV (\w+)=(\S+)`).FindAllStringSubmatch(string(read(t, "Dockerfile")), -1) {
		if !known[m[1]] {
			t.Errorf("Dockerfile sets %s, which the server does not read", m[1])
		}
	}
	cmd, err := parse(server.Command)
	if err != nil || cmd.Serve == nil {
		t.Fatalf("the server does not take the settings of docker-compose.yml: %v", err)
	}
	if total := cmd.Serve.DrainDelay + cmd.Serve.DrainTimeout; server.StopGrace <= total {
		t.Errorf("stop_grace_period is %v, the server's own drain may take %v", server.StopGrace, total)
	}
	for _, l := range cmd.Serve.Listen {
		_, port, err := net.SplitHostPort(l)
		if err != nil || !slices.Contains(server.Ports, "127.0.0.1:7400:"+port) {
			t.Errorf("the server listens on %s, published is %v", l, server.Ports)
		}
	}
}

// TestProbesAreUnderstood checks that the health probes call the server's binary in a way
// that it understands.
func TestProbesAreUnderstood(t *testing.T) {
	m := regexp.MustCompile(`(?s)HEALTHCHECK.*?CMD (\[.*?\])`).FindSubmatch(read(t, "Dockerfile"))
	if m == nil {
		t.Fatal("the Dockerfile has no HEALTHCHECK")
	}
	var image []string
	if err := yaml.Unmarshal(m[1], &image); err != nil {
		t.Fatal(err)
	}
	compose := readCompose(t).Services["server"].Healthcheck.Test
	if compose[0] != "CMD" {
		t.Fatalf("%q needs a shell, and the image has none", compose)
	}
	entry := regexp.MustCompile(`(?m)^ENTRYPOINT \["(.*)"\]$`).FindSubmatch(read(t, "Dockerfile"))
	if entry == nil {
		t.Fatal("the Dockerfile has no ENTRYPOINT")
	}
	for _, probe := range [][]string{image, compose[1:]} {
		if probe[0] != string(entry[1]) {
			t.Errorf("%q does not call %s", probe, entry[1])
		}
		cmd, err := parse(probe[1:])
		if err != nil || cmd.Healthcheck == nil {
			t.Errorf("%q is no health check: %v", probe, err)
		}
	}
}

// TestNodesTakeTheirArguments starts a real server with the arguments of the compose file's
// nodes.
func TestNodesTakeTheirArguments(t *testing.T) {
	command := readCompose(t).Services["valkey-1"].Command
	if len(command) == 0 || command[0] != "valkey-server" {
		t.Fatalf("command %q", command)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := local.Start(ctx, local.Config{Args: command[1:]})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	reply, err := s.Do(ctx, "CLUSTER", "INFO")
	// What the init service looks for in a node that is in no cluster yet.
	if err != nil || !bytes.Contains(reply, []byte("\ncluster_slots_assigned:0\r")) {
		t.Errorf("%q, %v", reply, err)
	}
}

func parse(args []string) (*config.Command, error) {
	return config.Parse(args, "test", config.Streams{Out: io.Discard, Err: io.Discard, Exit: func(int) {}})
}

// collect gathers the environment variables of a settings struct's tags.
func collect(t reflect.Type, into map[string]bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		if name, ok := f.Tag.Lookup("env"); ok {
			into[name] = true
		}
		if _, ok := f.Tag.Lookup("embed"); ok {
			collect(f.Type, into)
		}
	}
}
