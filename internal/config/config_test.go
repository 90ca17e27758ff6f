package config

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// load parses a command line as the program does.
func load(t *testing.T, args ...string) (*Config, error) {
	t.Helper()
	command, err := Parse(args, "v0", Streams{Out: new(bytes.Buffer), Err: new(bytes.Buffer),
		Exit: func(int) { t.Error("the process would have ended") }})
	if err != nil {
		return nil, err
	}
	if command.Serve == nil {
		t.Fatal("not the serve command")
	}
	return command.Serve, nil
}

func mustLoad(t *testing.T, args ...string) *Config {
	t.Helper()
	config, err := load(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaults(t *testing.T) {
	want := &Config{
		Listen:       []string{"127.0.0.1:7400"},
		LogLevel:     "info",
		LogFormat:    "text",
		DrainTimeout: 30 * time.Second,
		TLS:          TLS{ClientAuth: "require", ReloadInterval: 2 * time.Second},
		Auth:         Auth{Open: []string{"health"}},
		Connections: Connections{
			KeepaliveMinTime:      5 * time.Second,
			KeepaliveTime:         time.Minute,
			KeepaliveTimeout:      20 * time.Second,
			MaxConnectionAgeGrace: 5 * time.Minute,
		},
		Valkey: Valkey{ClientName: "valkeybatch", TopologyRefresh: 30 * time.Second},
		Limits: Limits{
			DefaultTimeout:        5 * time.Second,
			MaxTimeout:            5 * time.Minute,
			MaxCommands:           250_000,
			MaxArguments:          4_000_000,
			MaxRequestBytes:       134_217_728,
			MaxReplyBytes:         134_217_728,
			MaxReplyDepth:         32,
			MaxInFlightBatches:    1024,
			MaxBlockingBatches:    512,
			MaxStreamBatches:      256,
			MaxStreamStall:        30 * time.Second,
			MaxStreams:            20_000,
			MaxConnections:        10_000,
			MaxInFlightBytes:      1_073_741_824,
			MaxInFlightReplyBytes: 2_147_483_648,
			MaxRedirects:          16,
		},
		Telemetry: Telemetry{AccessLogSample: 1, TraceSample: 0.01},
	}
	got := mustLoad(t)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !got.Embedded() {
		t.Error("without seeds the embedded store is used")
	}
	if diff := cmp.Diff(want, mustLoad(t, "serve")); diff != "" {
		t.Errorf("the command by its name: %s", diff)
	}
}

// setting is one setting with a value of its own.
type setting struct {
	flag  string
	value string
	got   func(*Config) any
	want  any
}

// settings has every setting of serve but --config.
func settings(t *testing.T) []setting {
	passwordFile := write(t, "password", "file secret\n")
	return []setting{
		{"listen", "127.0.0.1:1,unix:///run/x", func(c *Config) any { return c.Listen }, []string{"127.0.0.1:1", "unix:///run/x"}},
		{"log-level", "debug", func(c *Config) any { return c.LogLevel }, "debug"},
		{"log-format", "json", func(c *Config) any { return c.LogFormat }, "json"},
		{"drain-delay", "7s", func(c *Config) any { return c.DrainDelay }, 7 * time.Second},
		{"drain-timeout", "8s", func(c *Config) any { return c.DrainTimeout }, 8 * time.Second},
		{"tls-cert", "/cert", func(c *Config) any { return c.TLS.Cert }, "/cert"},
		{"tls-key", "/key", func(c *Config) any { return c.TLS.Key }, "/key"},
		{"tls-client-ca", "/ca", func(c *Config) any { return c.TLS.ClientCA }, "/ca"},
		{"tls-client-auth", "optional", func(c *Config) any { return c.TLS.ClientAuth }, "optional"},
		{"reload-interval", "3s", func(c *Config) any { return c.TLS.ReloadInterval }, 3 * time.Second},
		{"auth-file", "/auth", func(c *Config) any { return c.Auth.File }, "/auth"},
		{"auth-open", "health,reflection", func(c *Config) any { return c.Auth.Open }, []string{"health", "reflection"}},
		{"max-batches-per-second", "19", func(c *Config) any { return c.Auth.MaxBatchesPerSecond }, 19},
		{"keepalive-min-time", "4s", func(c *Config) any { return c.Connections.KeepaliveMinTime }, 4 * time.Second},
		{"keepalive-time", "11s", func(c *Config) any { return c.Connections.KeepaliveTime }, 11 * time.Second},
		{"keepalive-timeout", "12s", func(c *Config) any { return c.Connections.KeepaliveTimeout }, 12 * time.Second},
		{"max-connection-age", "30m", func(c *Config) any { return c.Connections.MaxConnectionAge }, 30 * time.Minute},
		{"max-connection-age-grace", "10m", func(c *Config) any { return c.Connections.MaxConnectionAgeGrace }, 10 * time.Minute},
		{"http-listen", "127.0.0.1:2,unix:///run/y", func(c *Config) any { return c.HTTP.Listen }, []string{"127.0.0.1:2", "unix:///run/y"}},
		{"http-allow-origin", "https://a.example,http://b:81", func(c *Config) any { return c.HTTP.AllowOrigin }, []string{"https://a.example", "http://b:81"}},
		{"valkey", "a:1,b:2", func(c *Config) any { return c.Valkey.Seeds }, []string{"a:1", "b:2"}},
		{"valkey-username", "u", func(c *Config) any { return c.Valkey.Username }, "u"},
		{"valkey-password", "p", func(c *Config) any { return c.Valkey.Password }, Secret("p")},
		{"valkey-password-file", passwordFile, func(c *Config) any { return c.Valkey.PasswordFile }, passwordFile},
		{"valkey-tls", "true", func(c *Config) any { return c.Valkey.TLS }, true},
		{"valkey-tls-ca", "/ca", func(c *Config) any { return c.Valkey.TLSCA }, "/ca"},
		{"valkey-tls-cert", "/cert", func(c *Config) any { return c.Valkey.TLSCert }, "/cert"},
		{"valkey-tls-key", "/key", func(c *Config) any { return c.Valkey.TLSKey }, "/key"},
		{"valkey-tls-server-name", "n", func(c *Config) any { return c.Valkey.TLSServerName }, "n"},
		{"client-name", "me", func(c *Config) any { return c.Valkey.ClientName }, "me"},
		{"availability-zone", "z1", func(c *Config) any { return c.Valkey.AvailabilityZone }, "z1"},
		{"topology-refresh", "9s", func(c *Config) any { return c.Valkey.TopologyRefresh }, 9 * time.Second},
		{"default-timeout", "2s", func(c *Config) any { return c.Limits.DefaultTimeout }, 2 * time.Second},
		{"max-timeout", "6s", func(c *Config) any { return c.Limits.MaxTimeout }, 6 * time.Second},
		{"max-commands", "11", func(c *Config) any { return c.Limits.MaxCommands }, 11},
		{"max-arguments", "18", func(c *Config) any { return c.Limits.MaxArguments }, 18},
		{"max-request-bytes", "12KiB", func(c *Config) any { return c.Limits.MaxRequestBytes }, 12 * KiB},
		{"max-reply-bytes", "13 mib", func(c *Config) any { return c.Limits.MaxReplyBytes }, 13 * MiB},
		{"max-reply-depth", "14", func(c *Config) any { return c.Limits.MaxReplyDepth }, 14},
		{"max-in-flight-batches", "15", func(c *Config) any { return c.Limits.MaxInFlightBatches }, 15},
		{"max-stream-stall", "17s", func(c *Config) any { return c.Limits.MaxStreamStall }, 17 * time.Second},
		{"max-blocking-batches", "18", func(c *Config) any { return c.Limits.MaxBlockingBatches }, 18},
		{"max-stream-batches", "16", func(c *Config) any { return c.Limits.MaxStreamBatches }, 16},
		{"max-streams", "19", func(c *Config) any { return c.Limits.MaxStreams }, 19},
		{"max-connections", "20", func(c *Config) any { return c.Limits.MaxConnections }, 20},
		{"max-in-flight-bytes", "2147483648", func(c *Config) any { return c.Limits.MaxInFlightBytes }, 2 * GiB},
		{"max-in-flight-reply-bytes", "3GiB", func(c *Config) any { return c.Limits.MaxInFlightReplyBytes }, 3 * GiB},
		{"max-redirects", "17", func(c *Config) any { return c.Limits.MaxRedirects }, 17},
		{"admin-listen", "127.0.0.1:2", func(c *Config) any { return c.Admin.Listen }, "127.0.0.1:2"},
		{"admin-pprof", "true", func(c *Config) any { return c.Admin.PProf }, true},
		{"access-log", "true", func(c *Config) any { return c.Telemetry.AccessLog }, true},
		{"access-log-sample", "0.5", func(c *Config) any { return c.Telemetry.AccessLogSample }, 0.5},
		{"slow-batch", "3s", func(c *Config) any { return c.Telemetry.SlowBatch }, 3 * time.Second},
		{"trace-endpoint", "https://collector:4317", func(c *Config) any { return c.Telemetry.TraceEndpoint }, "https://collector:4317"},
		{"trace-sample", "0.25", func(c *Config) any { return c.Telemetry.TraceSample }, 0.25},
		{"allow-command", "flushall,config|set", func(c *Config) any { return c.AllowCommand }, []string{"flushall", "config|set"}},
		{"deny-command", "keys", func(c *Config) any { return c.DenyCommand }, []string{"keys"}},
	}
}

func env(flag string) string {
	return "VALKEYBATCH_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// companions are settings that make another one valid.
func companions(t *testing.T, flag string) []string {
	switch flag {
	case "valkey-username":
		return []string{"--valkey=a:1", "--valkey-password=x"}
	case "valkey-password", "valkey-password-file":
		return []string{"--valkey=a:1"}
	case "admin-pprof":
		return []string{"--admin-listen=127.0.0.1:0"}
	default:
		return nil
	}
}

// TestEverySettingEverywhere sets each setting by flag, by environment and by file, and checks
// that each of them reaches its field, that flags beat the environment and the environment
// beats the file. The TLS settings name files that do not exist, so validation is left out.
func TestEverySettingEverywhere(t *testing.T) {
	var names []string
	for _, s := range settings(t) {
		names = append(names, s.flag)
		t.Run(s.flag, func(t *testing.T) {
			if strings.HasPrefix(s.flag, "valkey-tls") || strings.HasPrefix(s.flag, "tls-") {
				testUnvalidated(t, s)
				return
			}
			check := func(how string, args ...string) {
				t.Helper()
				args = append(args, companions(t, s.flag)...)
				if diff := cmp.Diff(s.want, s.got(mustLoad(t, args...))); diff != "" {
					t.Errorf("by %s: %s", how, diff)
				}
			}
			check("flag", "--"+s.flag+"="+s.value)
			check("file", "--config="+write(t, "c.yaml", fmt.Sprintf("%s: %q\n", s.flag, s.value)))
			t.Setenv(env(s.flag), s.value)
			check("environment")
		})
	}
	// The list above must be whole.
	var tagged []string
	fields(reflect.TypeFor[Config](), func(f reflect.StructField) {
		name := f.Tag.Get("name")
		if got := f.Tag.Get("env"); got != env(name) {
			t.Errorf("%s: environment variable %s, want %s", name, got, env(name))
		}
		if f.Tag.Get("help") == "" {
			t.Errorf("%s has no help", name)
		}
		if name != "config" {
			tagged = append(tagged, name)
		}
	})
	slices.Sort(names)
	slices.Sort(tagged)
	if diff := cmp.Diff(tagged, names); diff != "" {
		t.Errorf("settings and this test's list differ: %s", diff)
	}
}

func fields(of reflect.Type, visit func(reflect.StructField)) {
	for i := range of.NumField() {
		f := of.Field(i)
		if _, embedded := f.Tag.Lookup("embed"); embedded {
			fields(f.Type, visit)
			continue
		}
		visit(f)
	}
}

func testUnvalidated(t *testing.T, s setting) {
	t.Helper()
	check := func(how string, args ...string) {
		t.Helper()
		streams := Streams{Out: new(bytes.Buffer), Err: new(bytes.Buffer), Exit: func(int) {}}
		got, err := parse(args, "v0", streams, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s.want, s.got(&got.cli.Serve)); diff != "" {
			t.Errorf("by %s: %s", how, diff)
		}
	}
	check("flag", "--"+s.flag+"="+s.value)
	t.Setenv(env(s.flag), s.value)
	check("environment")
}

func TestStrength(t *testing.T) {
	file := write(t, "c.yaml", "max-commands: 1\nmax-redirects: 1\nmax-reply-depth: 1\nlisten: [\"a:1\", \"b:2\"]\n")
	t.Setenv("VALKEYBATCH_CONFIG", file)
	t.Setenv("VALKEYBATCH_MAX_COMMANDS", "2")
	t.Setenv("VALKEYBATCH_MAX_REDIRECTS", "2")
	t.Setenv("VALKEYBATCH_LISTEN", "c:3")
	got := mustLoad(t, "--max-commands=3", "--listen=d:4", "--listen=e:5")
	if got.Limits.MaxCommands != 3 || got.Limits.MaxRedirects != 2 || got.Limits.MaxReplyDepth != 1 {
		t.Errorf("flag, environment, file gave %d, %d, %d", got.Limits.MaxCommands, got.Limits.MaxRedirects, got.Limits.MaxReplyDepth)
	}
	if diff := cmp.Diff([]string{"d:4", "e:5"}, got.Listen); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"c:3"}, mustLoad(t).Listen); diff != "" {
		t.Error(diff)
	}
}

func TestRefused(t *testing.T) {
	big := write(t, "big.yaml", strings.Repeat("#", maxFile+1))
	empty := write(t, "empty", "\n")
	pem := write(t, "ca.pem", "no certificate")
	for name, test := range map[string]struct {
		args []string
		says []string
	}{
		"unknown flag":             {[]string{"--nosuch=1"}, []string{"--nosuch"}},
		"not a number":             {[]string{"--max-commands=x"}, []string{"max-commands", `"x"`}},
		"number too low":           {[]string{"--max-commands=0"}, []string{"max-commands", "0 is out of range", "1 to 10000000"}},
		"number too high":          {[]string{"--max-reply-depth=129"}, []string{"max-reply-depth", "129", "1 to 128"}},
		"not a size":               {[]string{"--max-reply-bytes=1.5MiB"}, []string{"max-reply-bytes", "1.5MiB"}},
		"negative size":            {[]string{"--max-reply-bytes=-1"}, []string{"max-reply-bytes", "-1"}},
		"size too low":             {[]string{"--max-reply-bytes=1"}, []string{"max-reply-bytes", "1 is out", "1KiB to 1GiB"}},
		"size too high":            {[]string{"--max-request-bytes=2GiB"}, []string{"max-request-bytes", "2GiB", "1KiB to 1GiB"}},
		"no arguments":             {[]string{"--max-arguments=0"}, []string{"max-arguments", "0", "1 to 100000000"}},
		"replies below one batch":  {[]string{"--max-in-flight-reply-bytes=1MiB"}, []string{"max-in-flight-reply-bytes", "1MiB", "128MiB (max-reply-bytes) to 1TiB"}},
		"in flight below request":  {[]string{"--max-in-flight-bytes=1MiB"}, []string{"max-in-flight-bytes", "1MiB", "128MiB (max-request-bytes) to 1TiB"}},
		"profiles without a port":  {[]string{"--admin-pprof"}, []string{"admin-pprof", "admin-listen"}},
		"not an admin address":     {[]string{"--admin-listen=7401"}, []string{"admin-listen", `"7401"`, "host:port"}},
		"a share over 1":           {[]string{"--trace-sample=1.5"}, []string{"trace-sample", "1.5 is out of range", "0 to 1"}},
		"not a collector":          {[]string{"--trace-endpoint=collector:4317"}, []string{"trace-endpoint", "collector:4317", "http://host:port"}},
		"not a duration":           {[]string{"--max-timeout=5"}, []string{"max-timeout"}},
		"timeout above maximum":    {[]string{"--default-timeout=6m"}, []string{"default-timeout", "6m0s", "1ms to 5m0s"}},
		"maximum too long":         {[]string{"--max-timeout=25h"}, []string{"max-timeout", "25h0m0s", "24h0m0s"}},
		"negative drain":           {[]string{"--drain-timeout=-1s"}, []string{"drain-timeout", "-1s"}},
		"unknown level":            {[]string{"--log-level=loud"}, []string{"log-level", "loud", "debug"}},
		"unknown format":           {[]string{"--log-format=xml"}, []string{"log-format", "xml"}},
		"no listener":              {[]string{"--listen="}, []string{"listen", "at least one"}},
		"listen without port":      {[]string{"--listen=localhost"}, []string{"listen", "localhost", "host:port"}},
		"listen with bad port":     {[]string{"--listen=localhost:70000"}, []string{"listen", "70000", "65535"}},
		"listen on relative path":  {[]string{"--listen=unix://run/x"}, []string{"listen", "unix://run/x", "absolute"}},
		"HTTP without port":        {[]string{"--http-listen=localhost"}, []string{"http-listen", "localhost", "host:port"}},
		"origin with path":         {[]string{"--http-allow-origin=https://a.example/"}, []string{"http-allow-origin", "https://a.example/", "without a path"}},
		"origin in upper case":     {[]string{"--http-allow-origin=https://A.example"}, []string{"http-allow-origin", "lower case"}},
		"origin without scheme":    {[]string{"--http-allow-origin=a.example"}, []string{"http-allow-origin", "scheme://host"}},
		"origin with wildcard":     {[]string{"--http-allow-origin=https://*.example"}, []string{"http-allow-origin", "https://*.example"}},
		"seed without port":        {[]string{"--valkey=localhost"}, []string{"valkey", "localhost"}},
		"seed with port 0":         {[]string{"--valkey=localhost:0"}, []string{"valkey", "localhost:0", "1 to 65535"}},
		"seed without host":        {[]string{"--valkey=:6379"}, []string{"valkey", ":6379", "host"}},
		"both passwords":           {[]string{"--valkey-password=a", "--valkey-password-file=" + empty}, []string{"valkey-password-file", "valkey-password is set too"}},
		"missing password file":    {[]string{"--valkey-password-file=/nonexistent"}, []string{"valkey-password-file", "/nonexistent"}},
		"empty password file":      {[]string{"--valkey-password-file=" + empty}, []string{"valkey-password-file", "empty"}},
		"user without password":    {[]string{"--valkey-username=a"}, []string{"valkey-username", "password"}},
		"TLS setting without TLS":  {[]string{"--valkey-tls-ca=" + pem}, []string{"valkey-tls-ca", "valkey-tls is not"}},
		"missing CA":               {[]string{"--valkey-tls", "--valkey-tls-ca=/nonexistent"}, []string{"valkey-tls-ca", "/nonexistent"}},
		"CA without certificate":   {[]string{"--valkey-tls", "--valkey-tls-ca=" + pem}, []string{"valkey-tls-ca", "no PEM"}},
		"certificate without key":  {[]string{"--valkey-tls", "--valkey-tls-cert=" + pem}, []string{"valkey-tls-cert", "valkey-tls-key"}},
		"key without certificate":  {[]string{"--valkey-tls", "--valkey-tls-key=" + pem}, []string{"valkey-tls-key", "valkey-tls-cert"}},
		"bad key pair":             {[]string{"--valkey-tls", "--valkey-tls-key=" + pem, "--valkey-tls-cert=" + pem}, []string{"valkey-tls-cert"}},
		"TLS without key":          {[]string{"--tls-cert=" + pem}, []string{"tls-cert", "tls-key"}},
		"TLS without certificate":  {[]string{"--tls-key=" + pem}, []string{"tls-key", "tls-cert"}},
		"callers' CA without TLS":  {[]string{"--tls-client-ca=" + pem}, []string{"tls-client-ca", "tls-cert"}},
		"bad certificate":          {[]string{"--tls-cert=" + pem, "--tls-key=" + pem}, []string{"tls-cert", pem}},
		"unknown client auth":      {[]string{"--tls-client-auth=maybe"}, []string{"tls-client-auth", "maybe", "require"}},
		"unknown open service":     {[]string{"--auth-open=health,echo"}, []string{"auth-open", "echo", "reflection"}},
		"none and another":         {[]string{"--auth-open=health,none"}, []string{"auth-open", "none", "health"}},
		"client name with space":   {[]string{"--client-name=a b"}, []string{"client-name", "a b"}},
		"missing file":             {[]string{"--config=/nonexistent"}, []string{"/nonexistent"}},
		"file too big":             {[]string{"--config=" + big}, []string{big, "1048576"}},
		"file not YAML":            {[]string{"--config=" + write(t, "c", "a: [")}, []string{"config"}},
		"file no mapping":          {[]string{"--config=" + write(t, "c", "- a")}, []string{"config"}},
		"file with two documents":  {[]string{"--config=" + write(t, "c", "max-commands: 1\n---\nmax-commands: 1\n")}, []string{"more than one"}},
		"file with unknown key":    {[]string{"--config=" + write(t, "c", "max-comands: 1")}, []string{"max-comands", "no setting"}},
		"file with a key twice":    {[]string{"--config=" + write(t, "c", "max-commands: 1\nmax-commands: 2")}, []string{"max-commands"}},
		"file naming a file":       {[]string{"--config=" + write(t, "c", "config: x")}, []string{`"config"`, "no setting"}},
		"file with bad value":      {[]string{"--config=" + write(t, "c", "max-commands: many")}, []string{"max-commands", "many"}},
		"file with bad figure":     {[]string{"--config=" + write(t, "c", "max-commands: 0")}, []string{"max-commands", "0 is out of range"}},
		"file with misplaced list": {[]string{"--config=" + write(t, "c", "max-commands: [1]")}, []string{"max-commands", "not a list"}},
		"file with nesting":        {[]string{"--config=" + write(t, "c", "valkey:\n  seeds: a:1")}, []string{"valkey", "single value"}},
		"file with nested lists":   {[]string{"--config=" + write(t, "c", "listen: [[a]]")}, []string{"listen", "single values"}},
		"file with unknown level":  {[]string{"--config=" + write(t, "c", "log-level: loud")}, []string{"log-level", "loud"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, test.args...)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, part := range test.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestHealthcheckCommand(t *testing.T) {
	command, err := Parse([]string{"healthcheck", "--address=unix:///x", "--service=valkey", "--timeout=1s"}, "v0", Streams{})
	if err != nil {
		t.Fatal(err)
	}
	want := &Command{Healthcheck: &Healthcheck{Address: "unix:///x", Service: "valkey", Timeout: time.Second}}
	if diff := cmp.Diff(want, command); diff != "" {
		t.Error(diff)
	}
}

func TestTokenCommand(t *testing.T) {
	command, err := Parse([]string{"token"}, "v0", Streams{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Command{Token: true}, command); diff != "" {
		t.Error(diff)
	}
}

func TestVersionFlag(t *testing.T) {
	var out bytes.Buffer
	code := -1
	func() {
		defer func() { _ = recover() }()
		_, _ = Parse([]string{"--version"}, "v1.2.3", Streams{Out: &out, Err: &out, Exit: func(c int) { code = c; panic("exit") }})
	}()
	if code != 0 || strings.TrimSpace(out.String()) != "v1.2.3" {
		t.Errorf("exit code %d, output %q", code, out.String())
	}
	if Version("v9") != "v9" || Version("") == "" {
		t.Error("no version")
	}
	// The Go tool stamps no commit into a test.
	for commit, want := range map[string]string{"c0ffee": "v9 (commit c0ffee, go", "": "v9 (commit unknown, go"} {
		if got := Build("v9", commit); !strings.HasPrefix(got, want) {
			t.Errorf("with the commit %q linked it says %q, want %q...", commit, got, want)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	config := mustLoad(t, "--valkey=a:1", "--valkey-password=hunter2")
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("config", "config", config, "password", config.Valkey.Password)
	text := log.String() + fmt.Sprintf("%v %+v %#v %s", config, *config, *config, config.Valkey.Password)
	if strings.Contains(text, "hunter2") {
		t.Errorf("the password shows: %s", text)
	}
}

func TestLogger(t *testing.T) {
	for _, test := range []struct{ level, format, want string }{
		{"info", "text", "level=INFO msg=seen"},
		{"debug", "json", `"msg":"hidden"`},
		{"info", "text", "took=1.5s"},
		{"info", "json", `"took":"1.5s"`},
	} {
		var out bytes.Buffer
		logger := mustLoad(t, "--log-level="+test.level, "--log-format="+test.format).Logger(&out)
		logger.Debug("hidden")
		logger.Info("seen", "took", 1500*time.Millisecond)
		if !strings.Contains(out.String(), test.want) {
			t.Errorf("%s %s: %s", test.level, test.format, out.String())
		}
		if test.level == "info" && strings.Contains(out.String(), "hidden") {
			t.Errorf("debug is logged at info: %s", out.String())
		}
	}
}
