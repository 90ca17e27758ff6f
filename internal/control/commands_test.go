package control

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/credential"
	"github.com/valkeybatch/valkeybatch/internal/resp"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

// TestCommands holds what comes through valkey-go against the same reply read off the
// wire.
func TestCommands(t *testing.T) {
	for _, binary := range []string{"valkey-server", "redis-server"} {
		t.Run(binary, func(t *testing.T) {
			s := server(t, local.Config{Binary: binary})
			c := client(t, Config{Seeds: []string{"127.0.0.1:1", s.Addr()}})
			got, err := c.Commands(within(t))
			if err != nil {
				t.Fatal(err)
			}
			raw, err := s.Do(within(t), "COMMAND")
			if err != nil {
				t.Fatal(err)
			}
			want, err := command.ParseCommandReply(resp.Frame(raw))
			if err != nil {
				t.Fatal(err)
			}
			if len(got) < 300 || len(got) != len(want) {
				t.Fatalf("%d commands, want %d", len(got), len(want))
			}
			byName := func(infos []*command.Info) map[string]*command.Info {
				m := make(map[string]*command.Info)
				for _, info := range infos {
					m[info.Name] = info
				}
				return m
			}
			a, b := byName(got), byName(want)
			if diff := cmp.Diff(slices.Sorted(maps.Keys(b)), slices.Sorted(maps.Keys(a))); diff != "" {
				t.Error(diff)
			}
			for name, w := range b {
				g := a[name]
				if g == nil || g.Arity != w.Arity || g.Flags != w.Flags || !slices.Equal(g.Categories, w.Categories) ||
					g.Request != w.Request || g.Response != w.Response {
					t.Errorf("%s: %+v, want %+v", name, g, w)
				}
			}
			args := [][]byte{[]byte("XREAD"), []byte("STREAMS"), []byte("a"), []byte("b"), []byte("0"), []byte("0")}
			if keys, err := a["xread"].Keys(args, nil); err != nil || !slices.Equal(keys, []int{2, 3}) {
				t.Errorf("xread: %v, %v", keys, err)
			}
		})
	}
}

func TestCommandInfo(t *testing.T) {
	s := server(t, local.Config{})
	c := client(t, Config{Seeds: []string{s.Addr()}})
	for name, want := range map[string]string{
		"GET": "get", "config set": "config set", "CONFIG|SET": "config set", "config": "config",
		"nosuch": "", "config nosuch": "", "get nosuch": "", "": "", "a b c": "", "{\r\n": "",
	} {
		infos, err := c.CommandInfo(within(t), name)
		if err != nil || (len(infos) > 0) != (want != "") || len(infos) > 0 && infos[0].Name != want {
			t.Errorf("%q: %+v, %v", name, infos, err)
		}
		if container := want == "config"; container != (len(infos) > 1) {
			t.Errorf("%q: %d answers, want subcommands of containers and of nothing else", name, len(infos))
		}
	}
	if _, err := client(t, Config{Seeds: []string{"127.0.0.1:1"}}).CommandInfo(within(t), "get"); err == nil {
		t.Error("nobody is there")
	}
}

func TestCommandsRefusedOrNonsense(t *testing.T) {
	s := server(t, local.Config{})
	must(t, s, "ACL", "SETUSER", "poor", "on", ">pw", "+get")
	c := client(t, Config{Seeds: []string{s.Addr()}, Username: "poor", Password: credential.Fixed("pw")})
	if _, err := c.Commands(within(t)); err == nil || !strings.Contains(failure(t, err).Error(), "NOPERM") {
		t.Errorf("%v", err)
	}
	deep := strings.Repeat("*1\r\n", 100) + ":1\r\n"
	for _, reply := range []string{"+OK\r\n", ":1\r\n", ",1.5\r\n", "*1\r\n,1.5\r\n", "*1\r\n%1\r\n*0\r\n*0\r\n", deep, "*1\r\n*1\r\n#t\r\n"} {
		c := client(t, Config{Seeds: []string{scripted(t, map[string]string{"COMMAND": reply})}, Timeout: time.Second})
		if infos, err := c.Commands(within(t)); err == nil {
			t.Errorf("%q: %d commands", reply, len(infos))
		}
	}
}
