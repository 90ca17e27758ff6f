package acceptance

import (
	"math"
	"strings"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/resp"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// scriptRows are scripts that return every type that scripts can, in RESP3.
var scriptRows = []row{
	{"EVAL return(42) 1 @k", "42"},
	{"EVAL return(3.99) 1 @k", "3"},
	{"EVAL return('bulk') 1 @k", `"bulk"`},
	{`EVAL return('\0\255') 1 @k`, `"\x00\xff"`},
	{"EVAL return{ok='simple'} 1 @k", "simple"},
	// A simple string that is no UTF-8 cannot be a text of Protocol Buffers.
	{`EVAL return{ok='\255'} 1 @k`, `"\xff"`},
	{"EVAL return{err='MYERR'} 1 @k", "!MYERR"},
	{"EVAL return(nil) 1 @k", "nil"},
	{"EVAL return(false) 1 @k", "nil"}, // before setresp(3) Lua's booleans are those of RESP2
	{"EVAL return(true) 1 @k", "1"},
	{"EVAL redis.setresp(3);return(true) 1 @k", "true"},
	{"EVAL redis.setresp(3);return(false) 1 @k", "false"},
	{"EVAL redis.setresp(3);return(nil) 1 @k", "nil"},
	{"EVAL redis.setresp(3);return{double=1.5} 1 @k", "1.5d"},
	{"EVAL redis.setresp(3);return{double=0.1} 1 @k", "0.1d"},
	{"EVAL redis.setresp(3);return{double=-1e300} 1 @k", "-1e+300d"},
	{"EVAL redis.setresp(3);return{double=5e-324} 1 @k", "5e-324d"},
	{"EVAL redis.setresp(3);return{double=math.huge} 1 @k", "infd"},
	{"EVAL redis.setresp(3);return{double=-math.huge} 1 @k", "-infd"},
	{"EVAL redis.setresp(3);return{double=0/0} 1 @k", "nand"},
	{"EVAL redis.setresp(3);return{big_number='1234567890123456789012345678901234567890'} 1 @k", "1234567890123456789012345678901234567890n"},
	{"EVAL redis.setresp(3);return{big_number='-1234567890123456789012345678901234567890'} 1 @k", "-1234567890123456789012345678901234567890n"},
	{"EVAL redis.setresp(3);return{verbatim_string={format='mkd',string='*a*:b'}} 1 @k", `mkd:"*a*:b"`},
	{"EVAL redis.setresp(3);return{verbatim_string={format='txt',string=''}} 1 @k", `txt:""`},
	{"EVAL redis.setresp(3);return{map={[7]='x'}} 1 @k", `{7: "x"}`},
	{"EVAL redis.setresp(3);return{map={a={map={b={set={c=true}}}}}} 1 @k", `{"a": {"b": ~{"c"}}}`},
	{"EVAL redis.setresp(3);return{map={}} 1 @k", "{}"},
	{"EVAL redis.setresp(3);return{set={x=true}} 1 @k", `~{"x"}`},
	{"EVAL redis.setresp(3);return{set={}} 1 @k", "~{}"},
	{"EVAL return{} 1 @k", "[]"},
	{"EVAL return{1,{2,{3,{}}},'x'} 1 @k", `[1 [2 [3 []]] "x"]`},
	{"EVAL redis.setresp(3);return{true,{double=2},{err='X'},{ok='Y'},{map={[1]=2}}} 1 @k", "[true 2d !X Y {1: 2}]"},
	{"HSET @h z 1 a 2 m 3", "3"},
	{"EVAL redis.setresp(3);return(redis.call('HGETALL',KEYS[1]).map.m) 1 @h", `"3"`},
	{"EVAL redis.setresp(3);return(redis.call('ZADD',KEYS[1],'INCR','2.5','m')) 1 @z", "2.5d"},
	{"EVAL return(redis.call('SMEMBERS',KEYS[1])) 1 @missing", "[]"},
	{"EVAL redis.setresp(3);return(redis.call('SMEMBERS',KEYS[1])) 1 @missing", "~{}"},
}

func TestAcceptance128_ScriptReplies(t *testing.T) { groupTest(t, scriptRows) }

// Maps are in the server's order, whatever the order of their keys.
func TestAcceptance128_MapOrder(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		e.group(t, []row{
			{"HSET @h zeta 1 alpha 2 Mu 3 0 4 zz 5 b 6", "6"},
			{"HGETALL @h", `{"zeta": "1", "alpha": "2", "Mu": "3", "0": "4", "zz": "5", "b": "6"}`},
			{"HDEL @h alpha", "1"},
			{"HSET @h alpha 7", "1"},
			{"HGETALL @h", `{"zeta": "1", "Mu": "3", "0": "4", "zz": "5", "b": "6", "alpha": "7"}`},
		})
	})
}

// DEBUG PROTOCOL gives one reply of every type. On a cluster DEBUG, which has no key, goes
// to one node with a route.
func TestAcceptance128_DebugProtocol(t *testing.T) {
	adminMatrix(t, "SC", "AP", func(t *testing.T, e *env) {
		batch := e.batch(
			cmd("DEBUG", "PROTOCOL", "string"),
			text("DEBUG", "PROTOCOL", "string"),
			cmd("DEBUG", "PROTOCOL", "integer"),
			cmd("DEBUG", "PROTOCOL", "double"),
			cmd("DEBUG", "PROTOCOL", "null"),
			cmd("DEBUG", "PROTOCOL", "array"),
			cmd("DEBUG", "PROTOCOL", "set"),
			cmd("DEBUG", "PROTOCOL", "map"),
			cmd("DEBUG", "PROTOCOL", "attrib"), // an attribute and the reply it belongs to: dropped, and the reply
			cmd("DEBUG", "PROTOCOL", "verbatim"),
			cmd("DEBUG", "PROTOCOL", "true"),
			cmd("DEBUG", "PROTOCOL", "false"),
			cmd("DEBUG", "PROTOCOL", "bignum"),
		)
		if e.isCluster {
			batch = batch.route(slotRoute(0, primary))
		}
		e.wantValues(t, batch,
			aBulk("Hello World"),
			aString("Hello World"),
			anInteger(12345),
			aDouble(3.141),
			aNull,
			anArray(anInteger(0), anInteger(1), anInteger(2)),
			aSet(anInteger(0), anInteger(1), anInteger(2)),
			aMap(anInteger(0), aBoolean(false), anInteger(1), aBoolean(true), anInteger(2), aBoolean(false)),
			aBulk("Some real reply following the attribute"),
			aVerbatim("txt", "This is a verbatim\nstring"),
			aBoolean(true),
			aBoolean(false),
			aBigNumber("1234567999999999999999999999999999999"),
		)
	})
}

// A push message between two replies belongs to neither. (Inside a transaction's reply the
// server would write it in the middle of an array, which no client can read; DEBUG, the only
// command that does so, is refused unless an operator allows it.)
func TestAcceptance128_PushBetweenReplies(t *testing.T) {
	adminMatrix(t, "S", "P", func(t *testing.T, e *env) {
		e.want(t, e.batch(cmd("ECHO", "before"), cmd("DEBUG", "PROTOCOL", "push"), cmd("ECHO", "after")),
			`"before"`, `"Some real reply following the push reply"`, `"after"`)
	})
}

// Errors inside a reply are values like their neighbours: the command itself has not failed.
func TestAcceptance128_ErrorsInside(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		node := e.owner(t, e.k("k")).Addr()
		const script = `redis.setresp(3)
			return {1, redis.error_reply('MYERR inside'), {redis.pcall('LPUSH', KEYS[1])}, {map={m=redis.error_reply('DEEP in a map')}}, {double=1/0}}`
		e.wantValues(t, e.batch(cmd("EVAL", script, "1", e.k("k"))).raise(),
			anArray(
				anInteger(1),
				anError("MYERR", "MYERR inside", node),
				anArray(anError("ERR", "ERR Wrong number of args calling command from script", node)),
				aMap(aBulk("m"), anError("DEEP", "DEEP in a map", node)),
				aDouble(math.Inf(1)),
			),
		)
	})
}

// What no real server says: nested errors of both kinds, a null of every kind, an attribute
// inside an array. A scripted server says it.
func TestAcceptance128_EveryOtherForm(t *testing.T) {
	replies := map[string]string{
		"bulkerror": "!21\r\nSYNTAX invalid syntax\r\n",
		"nullbulk":  "$-1\r\n",
		"nullarray": "*-1\r\n",
		"null":      "_\r\n",
		"nan":       ",nan\r\n",
		"minusnan":  ",-nan\r\n",
		"doubles":   "*6\r\n,inf\r\n,-inf\r\n,10\r\n,-0\r\n,1.5e-3\r\n,1E400\r\n",
		"integers":  "*2\r\n:9223372036854775807\r\n:-9223372036854775808\r\n",
		"nested":    "*2\r\n*1\r\n!6\r\nERR in\r\n|1\r\n+ttl\r\n:9\r\n$1\r\nx\r\n",
		"map":       "%2\r\n*1\r\n:1\r\n~2\r\n#t\r\n_\r\n_\r\n%0\r\n",
		"plain":     "+\r\n",
	}
	scripted := valkeytest.StartScripted(t, func(_ int, args []string) []byte {
		if strings.EqualFold(args[0], "GET") {
			return []byte(replies[args[1]])
		}
		return standaloneAnswer(args)
	})
	s := serve(t, []string{scripted.Addr()})
	node := scripted.Addr()
	bulkError := anError("SYNTAX", "SYNTAX invalid syntax", node)
	s.wantValues(t, pipeline(
		cmd("GET", "bulkerror"), cmd("GET", "nullbulk"), cmd("GET", "nullarray"), cmd("GET", "null"),
		cmd("GET", "nan"), cmd("GET", "minusnan"), cmd("GET", "doubles"), cmd("GET", "integers"),
		cmd("GET", "nested"), cmd("GET", "map"), cmd("GET", "plain"),
	),
		bulkError, aNull, aNull, aNull, aDouble(math.NaN()), aDouble(math.NaN()),
		anArray(aDouble(math.Inf(1)), aDouble(math.Inf(-1)), aDouble(10), aDouble(math.Copysign(0, -1)), aDouble(1.5e-3), aDouble(math.Inf(1))),
		anArray(anInteger(math.MaxInt64), anInteger(math.MinInt64)),
		anArray(anArray(anError("ERR", "ERR in", node)), aBulk("x")),
		aMap(anArray(anInteger(1)), aSet(aBoolean(true), aNull), aNull, aMap()),
		aString(""),
	)
}

// standaloneAnswer is what a scripted standalone server says to what the service asks of its
// own accord; nothing to any other command.
func standaloneAnswer(args []string) []byte {
	switch strings.ToUpper(args[0]) {
	case "CLUSTER":
		return resp.AppendError(nil, "ERR This instance has cluster support disabled")
	case "INFO":
		return resp.AppendBulk(nil, []byte("cluster_enabled:0\r\nrole:master\r\n"))
	case "COMMAND":
		return resp.AppendError(nil, "ERR unknown command 'COMMAND'")
	}
	return nil
}
