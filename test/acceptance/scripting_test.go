package acceptance

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// library is the code of a library with a function that writes two keys and one that reads
// them. The language of engines is named LUA in replies.
func library(name string) string {
	return fmt.Sprintf(`#!lua name=%[1]s
redis.register_function{function_name='%[1]s_write', callback=function(keys, args) return redis.call('MSET', keys[1], args[1], keys[2], args[2]) end}
redis.register_function{function_name='%[1]s_read', flags={'no-writes'}, callback=function(keys) return redis.call('MGET', keys[1], keys[2]) end}
`, name)
}

const (
	greeting    = `return {KEYS[1], ARGV[1]}`
	noFunctions = `{"running_script": nil, "engines": {"LUA": {"libraries_count": 0, "functions_count": 0}}}`
	oneLibrary  = `{"running_script": nil, "engines": {"LUA": {"libraries_count": 1, "functions_count": 2}}}`
)

func shaOf(script string) string {
	sum := sha1.Sum([]byte(script))
	return hex.EncodeToString(sum[:])
}

// Scripts and functions are loaded and flushed: the deployments are the test's own.
func TestAcceptance031_032_038_Scripting(t *testing.T) {
	ownAdminMatrix(t, "SC", "AP", func(t *testing.T, e *env) {
		t.Run("031_OneNode", func(t *testing.T) { testScriptsOfOneNode(t, e) })
		t.Run("038_FunctionDumpAndRestore", func(t *testing.T) { testFunctionDumpAndRestore(t, e) })
		if e.isCluster {
			t.Run("032_FunctionsOnTwoKeys", func(t *testing.T) { testFunctionsOnTwoKeys(t, e) })
		}
		if e.isFannedOut() {
			t.Run("031_EverywhereWithoutARoute", func(t *testing.T) { testScriptsEverywhere(t, e) })
		}
	})
}

func testScriptsOfOneNode(t *testing.T, e *env) {
	sha, missing := shaOf(greeting), strings.Repeat("f", 40)
	k, other := e.k("k"), e.k("other")
	e.wantMatches(t, e.routed(e.batch(
		cmd("SCRIPT", "FLUSH"),
		cmd("SCRIPT", "EXISTS", sha, missing),
		cmd("EVALSHA", sha, "1", k, "hello"),
		cmd("SCRIPT", "LOAD", greeting),
		cmd("SCRIPT", "EXISTS", sha, missing),
		cmd("SCRIPT", "SHOW", sha),
		cmd("SCRIPT", "SHOW", missing),
		cmd("EVALSHA", sha, "1", k, "hello"),
		cmd("EVALSHA_RO", sha, "1", k, ""),
		cmd("EVAL_RO", "return redis.call('SET', KEYS[1], 'v')", "1", k),
		cmd("SCRIPT", "FLUSH", "SYNC"),
		cmd("SCRIPT", "EXISTS", sha),
		cmd("SCRIPT", "KILL"),

		cmd("FUNCTION", "FLUSH"),
		cmd("FUNCTION", "LIST"),
		cmd("FUNCTION", "STATS"),
		cmd("FUNCTION", "LOAD", library("lib")),
		cmd("FUNCTION", "LOAD", library("lib")),
		cmd("FUNCTION", "LOAD", "REPLACE", library("lib")),
		cmd("FUNCTION", "LOAD", "#!lua name=broken\nnonsense"),
		cmd("FUNCTION", "STATS"),
		cmd("FUNCTION", "LIST", "LIBRARYNAME", "lib"),
		cmd("FCALL", "lib_write", "2", k, other, "1", "2"),
		cmd("FCALL_RO", "lib_read", "2", other, k),
		cmd("FCALL_RO", "lib_write", "2", k, other, "1", "2"),
		cmd("FUNCTION", "KILL"),
		cmd("FUNCTION", "DELETE", "lib"),
		cmd("FUNCTION", "DELETE", "lib"),
		cmd("FCALL", "lib_write", "2", k, other, "1", "2"),
	)),
		"OK",
		"[0 0]",
		"!NOSCRIPT No matching script.",
		`"`+sha+`"`,
		"[1 0]",
		`"`+greeting+`"`,
		"!NOSCRIPT No matching script.",
		`["@k" "hello"]`,
		`["@k" ""]`,
		"re:!ERR Write commands are not allowed from read-only scripts.*",
		"OK",
		"[0]",
		"!NOTBUSY No scripts in execution right now.",

		"OK",
		"[]",
		noFunctions,
		`"lib"`,
		"!ERR Library 'lib' already exists",
		`"lib"`,
		"re:!ERR Error compiling function: .*",
		oneLibrary,
		`re:\[\{"library_name": "lib", "engine": "LUA", "functions": \[(\{"name": "lib_(write|read)", "description": nil, "flags": ~\{(no-writes)?\}\} ?){2}\]\}\]`,
		"OK",
		`["2" "1"]`,
		"!ERR Can not execute a script with write flag using *_ro command.",
		"!NOTBUSY No scripts in execution right now.",
		"OK",
		"!ERR Library not found",
		"!ERR Function not found",
	)
}

// Without a route a pipeline's scripts and functions are loaded, counted and flushed
// everywhere, so that they work whatever key they are called with.
func testScriptsEverywhere(t *testing.T, e *env) {
	sha := shaOf(greeting)
	e.want(t, pipeline(cmd("FUNCTION", "FLUSH"), cmd("SCRIPT", "LOAD", greeting), cmd("FUNCTION", "LOAD", library("lib")), cmd("SCRIPT", "EXISTS", sha)),
		"OK", `"`+sha+`"`, `"lib"`, "[1]")
	for _, n := range e.nodes.Primaries() {
		k := e.nodes.KeyFor(t, n, "k")
		e.want(t, pipeline(
			cmd("EVALSHA", sha, "1", k, "x"),
			cmd("FCALL", "lib_write", "2", k, k+"2", "1", "2"),
			cmd("FCALL_RO", "lib_read", "2", k, k+"2"),
		), `["`+k+`" "x"]`, "OK", `["1" "2"]`)
	}
	// A script that one node has lost is not there.
	lost := e.nodes.Primaries()[1]
	lost.MustDo(t, "SCRIPT", "FLUSH")
	e.want(t, pipeline(cmd("SCRIPT", "EXISTS", sha, sha)), "[0 0]")

	stats := e.must(t, pipeline(cmd("FUNCTION", "STATS")))[0]
	var nodes []string
	for _, entry := range stats.GetMapValue().GetEntries() {
		nodes = append(nodes, string(entry.GetKey().GetBytesValue()))
		if got := render(entry.GetValue()); got != oneLibrary {
			t.Errorf("FUNCTION STATS of %s: %s", render(entry.GetKey()), got)
		}
	}
	slices.Sort(nodes)
	want := e.nodes.Seeds()
	slices.Sort(want)
	if !slices.Equal(nodes, want) {
		t.Errorf("FUNCTION STATS of %q, want one entry for each primary: %q", nodes, want)
	}

	e.want(t, pipeline(cmd("FUNCTION", "DELETE", "lib"), cmd("SCRIPT", "FLUSH"), cmd("FUNCTION", "LIST")), "OK", "OK", "[]")
	for _, n := range e.nodes.Primaries() {
		if got := string(n.MustDo(t, "FUNCTION", "LIST")); got != "*0\r\n" {
			t.Errorf("%s still has a library: %q", n.Addr(), got)
		}
		e.want(t, pipeline(cmd("EVALSHA", sha, "1", e.nodes.KeyFor(t, n, "k"), "x")), "!NOSCRIPT No matching script.")
	}
}

func testFunctionsOnTwoKeys(t *testing.T, e *env) {
	e.want(t, pipeline(cmd("FUNCTION", "FLUSH"), cmd("FUNCTION", "LOAD", library("lib"))), "OK", `"lib"`)
	a, b := e.k("a"), e.k("b")
	batch := func() request {
		return e.batch(
			cmd("FCALL", "lib_write", "2", a, b, "1", "2"),
			cmd("FCALL", "lib_read", "2", a, b),
			cmd("FCALL_RO", "lib_read", "2", b, a),
		)
	}
	want := []string{"OK", `["1" "2"]`, `["2" "1"]`}
	e.want(t, batch(), want...)
	for _, route := range []*valkeybatchv1.Route{
		keyRoute(a, primary),
		slotRoute(valkeytest.Slot(a), primary),
		addressRoute("127.0.0.1", e.owner(t, a).Port()),
	} {
		e.want(t, batch().route(route), want...)
	}
	for _, n := range e.nodes.Primaries() {
		if calls := n.CommandStats(t, "fcall_ro"); (calls > 0) != (n == e.owner(t, a)) {
			t.Errorf("%s ran FCALL_RO %d times", n.Addr(), calls)
		}
		n.MustDo(t, "CONFIG", "RESETSTAT")
	}
}

func testFunctionDumpAndRestore(t *testing.T, e *env) {
	routes := []func(request) request{func(r request) request { return r }}
	if e.isCluster {
		// Without a route, a pipeline restores everywhere and a transaction on some primary:
		// the routes are those of one node.
		routes = []func(request) request{
			func(r request) request { return r.route(keyRoute(e.tag, primary)) },
			func(r request) request { return r.route(slotRoute(valkeytest.Slot(e.tag), primary)) },
		}
	}
	for _, routed := range routes {
		results := e.must(t, routed(e.batch(
			cmd("FUNCTION", "FLUSH"), cmd("FUNCTION", "LOAD", library("lib")), cmd("FUNCTION", "DUMP"))))
		dump := string(bytesOf(t, results[2]))
		e.want(t, routed(e.batch(
			cmd("FUNCTION", "RESTORE", dump),
			cmd("FUNCTION", "RESTORE", dump, "REPLACE"),
			cmd("FUNCTION", "FLUSH"),
			cmd("FUNCTION", "RESTORE", dump, "FLUSH"),
			cmd("FUNCTION", "RESTORE", dump+"x"),
			cmd("FCALL", "lib_write", "2", e.k("a"), e.k("b"), "1", "2"),
		)),
			"!ERR Library lib already exists", "OK", "OK", "OK",
			"!ERR DUMP payload version or checksum are wrong", "OK")
	}
}
