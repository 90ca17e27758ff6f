package embedded

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
)

// TestEndlessScripts checks that every way of going round ends, and the store lives on.
func TestEndlessScripts(t *testing.T) {
	for name, script := range map[string]string{
		"while":              "while true do end",
		"while, number":      "while 1do end",
		"repeat":             "repeat until false",
		"for":                "for i=1,1e300 do end",
		"generic for":        "for _ in function() return 1 end do end",
		"goto":               "::again:: goto again",
		"tail call":          "local function f() return f() end return f()",
		"mutual calls":       "local f,g f=function() return g() end g=function() return f() end return f()",
		"protected loop":     "while true do pcall(function() while true do end end) end",
		"protected calls":    "local function f() pcall(f) while true do pcall(f) end end f()",
		"xpcall":             "while true do xpcall(function() while true do end end, function() while true do end end) end",
		"loadstring":         "loadstring('while true do end')()",
		"load":               "local done load(function() if done then return nil end done=true return 'while true do end' end)()",
		"endless load":       "load(function() return ' ' end)",
		"nested loadstring":  "loadstring([[loadstring('while true do end')()]])()",
		"coroutine":          "coroutine.wrap(function() while true do end end)()",
		"endless coroutine":  "local f=coroutine.wrap(function() while true do coroutine.yield() end end) while true do f() end",
		"metamethod":         "local t=setmetatable({},{__index=function(t,k) return t[k] end}) while true do pcall(function() return t.x end) end",
		"sort":               "while true do table.sort({3,2,1}, function(a,b) while true do end end) end",
		"commands":           "while true do redis.call('SET', KEYS[1], 'x') end",
		"protected commands": "while true do redis.pcall('NOSUCH') end",
		"comment":            "while true --[==[ ]] ]==] do -- do\n end",
		"local of the name":  "local do_ = 'do' while do_ do end",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			s.scripts.limit = 50 * time.Millisecond
			c := dial(t, s)
			if got := c.do("EVAL", script, "1", "k"); got != "-ERR Script killed: it ran for longer than 50ms, the limit of the embedded store; what it did until then has taken effect\r\n" {
				t.Errorf("%q", got)
			}
			c.expect("+OK\r\n", "SET", "k", "v")
			c.expect("+OK\r\n", "MULTI")
			c.expect("+QUEUED\r\n", "EVAL", script, "1", "k")
			c.expect("+QUEUED\r\n", "DEL", "k")
			if got := c.do("EXEC"); !strings.Contains(got, "Script killed: ") || !strings.HasSuffix(got, ":1\r\n") {
				t.Errorf("EXEC: %q", got)
			}
		})
	}
}

// TestScriptsMeanTheSame checks that the checks of time change nothing else.
func TestScriptsMeanTheSame(t *testing.T) {
	c := dial(t, newStore(t))
	for script, want := range map[string]string{
		"local n=0 for i=1,10 do n=n+i end return n":                                                            ":55\r\n",
		"local n=0 repeat local m=n n=n+1 until m==4 return n":                                                  ":5\r\n",
		"local n=0 while n<1000 do n=n+1 if n==500 then break end end return n":                                 ":500\r\n",
		"local n=0 for i=1,4 do if i==2 then goto continue end n=n+i ::continue:: end return n":                 ":8\r\n",
		"local function f(a, ...) return a, select('#', ...) end local a, b = f(1, 2, 3) return {a, b}":         "*2\r\n:1\r\n:2\r\n",
		"local t={f=function(self)return self.x end,x=3} function t:g() return self.x+1 end return t:f()+t:g()": ":7\r\n",
		"do return 'do function() goto' end":                                                                    "$18\r\ndo function() goto\r\n",
		"return [==[do ]] repeat]==]":                                                                           "$12\r\ndo ]] repeat\r\n",
		"return 'it\\'s do' -- do while\n":                                                                      "$7\r\nit's do\r\n",
		"--[[ do ]] return 0x1d+1e1+.5*2":                                                                       ":40\r\n",
		"return 1 ..2":                                                                                          "$2\r\n12\r\n",
		"local f=loadstring('local a, b = ... return a+b -- sum') return f(1,2)":                                ":3\r\n",
		"local f,e=loadstring('return (') return {tostring(f), type(e)}":                                        "*2\r\n$3\r\nnil\r\n$6\r\nstring\r\n",
		"local parts={'return ','7'} local i=0 return load(function() i=i+1 return parts[i] end)()":             ":7\r\n",
		"local ok,e=pcall(error,'mine',0) return e":                                                             "$4\r\nmine\r\n",
		"return redis.sha1hex('')":                                                                              "$40\r\nda39a3ee5e6b4b0d3255bfef95601890afd80709\r\n",
	} {
		c.expect(want, "EVAL", script, "0")
	}
	if got := c.do("EVAL", "local x = 1\nfor i=1,2 do\nerror('here') end", "0"); !strings.Contains(got, ":3: here") {
		t.Errorf("the line of an error: %q", got)
	}
	if got := c.do("EVAL_RO", "for i=1,1000 do end return redis.call('GET', KEYS[1])", "1", "none"); got != "_\r\n" {
		t.Errorf("EVAL_RO: %q", got)
	}
}

// TestCloseWhileAScriptRuns checks that Close comes back though the store is busy, and though
// it is stuck for good.
func TestCloseWhileAScriptRuns(t *testing.T) {
	s := newStore(t)
	c := dial(t, s)
	c.send("EVAL", "redis.call('SET', 'k', 'v') while true do end", "0")
	time.Sleep(50 * time.Millisecond)
	closed := make(chan struct{})
	go func() { defer close(closed); s.Close() }()
	select {
	case <-closed:
	case <-time.After(30 * time.Second):
		t.Fatal("Close waits for a script")
	}

	stuck := newStore(t)
	stuck.redis.Lock()
	stuck.Close()
	stuck.redis.Unlock()
	if _, err := stuck.Dial(context.Background(), "", ""); err == nil {
		t.Error("a closed store can be dialled")
	}
}

// FuzzInstrument checks that the checks of time neither break a script nor make it endless.
func FuzzInstrument(f *testing.F) {
	f.Add("for i=1,10do local f=function(a,...)end end")
	f.Add("::a:: goto a")
	f.Add("return 1..2 .. 0x1d .. [[x]]--[=[ ]=]")
	s, err := New(slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	peer := server.NewPeer(bufio.NewWriter(io.Discard))
	s.server.Dispatch(peer, []string{"PING"})
	f.Fuzz(func(t *testing.T, script string) {
		compiles := func(chunk string) bool {
			var reply strings.Builder
			s.aside(peer, &reply, "SCRIPT", "LOAD", chunk)
			return !strings.HasPrefix(reply.String(), "-")
		}
		if plain, checked := compiles("\n"+script), compiles(s.scripts.prelude()+"\n"+instrument(script, s.scripts.check)); plain && !checked {
			t.Errorf("%q does not compile any more: %q", script, instrument(script, s.scripts.check))
		}
		var rest strings.Builder
		for text := script; text != ""; {
			n := luaToken(text)
			if n < 1 || n > len(text) {
				t.Fatalf("a token of %d bytes", n)
			}
			rest.WriteString(text[:n])
			text = text[n:]
		}
		if rest.String() != script {
			t.Error("tokens are not the whole")
		}
	})
}
