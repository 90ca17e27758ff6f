package acceptance

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// everyByte holds all 256 bytes, the ends of lines and the types of RESP among them.
var everyByte = func() string {
	var b strings.Builder
	for i := range 256 {
		b.WriteByte(byte(i))
	}
	return b.String()
}()

// large is a text of n bytes that shows where bytes are lost or moved.
func large(n int) string {
	unit := everyByte + "0123456789"
	return strings.Repeat(unit, n/len(unit)+1)[:n]
}

// bytesOf returns a bulk string's bytes.
func bytesOf(t *testing.T, v *valkeybatchv1.Value) []byte {
	t.Helper()
	b, ok := v.GetKind().(*valkeybatchv1.Value_BytesValue)
	if !ok {
		t.Fatalf("the value is a %T, want bytes", v.GetKind())
	}
	return b.BytesValue
}

func TestAcceptance006_LargeKeyAndValue(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		const size = 33 << 20
		timeout := 7 * time.Second
		if raceDetector {
			timeout *= 4
		}
		value := large(size)
		key := e.k(value[:size-len(e.tag)])
		// The key expires by itself: to name it once more would take as long again.
		results := e.must(t, e.batch(cmd("SET", key, value, "EX", "30"), cmd("GET", key)).within(e.isCluster, timeout))
		if got := render(results[0]); got != "OK" {
			t.Errorf("SET = %.100s", got)
		}
		if got := bytesOf(t, results[1]); string(got) != value {
			t.Errorf("GET returns %d bytes that are not the %d that were set", len(got), len(value))
		}
	})
}

func TestAcceptance007_127_EveryByteAndNone(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		key := e.k(everyByte)
		e.want(t, e.batch(
			cmd("SET", key, everyByte),
			cmd("GET", key),
			cmd("HSET", e.k("h"), everyByte, everyByte),
			cmd("HGETALL", e.k("h")),
			cmd("HSET", e.k("empty"), "", "", "\n", ""),
			cmd("HGETALL", e.k("empty")),
			cmd("LPUSH", e.k("l"), "", "\r\n", "\x00"),
			cmd("LRANGE", e.k("l"), "0", "-1"),
			cmd("MSET", e.k("\r\n"), "$5\r\n", e.k("\x00"), "*1\r\n"),
			cmd("MGET", e.k("\x00"), e.k("\r\n")),
			cmd("STRLEN", key),
		),
			"OK",
			strconv.Quote(everyByte),
			"1",
			"{"+strconv.Quote(everyByte)+": "+strconv.Quote(everyByte)+"}",
			"2",
			`{"": "", "\n": ""}`,
			"3",
			`["\x00" "\r\n" ""]`,
			"OK",
			`["*1\r\n" "$5\r\n"]`,
			"256",
		)
		// The key is stored as it is, and no other.
		if got := e.owner(t, key).Text(t, "GET", key); got != everyByte {
			t.Errorf("the server holds %q", got)
		}
	})
}

func TestAcceptance127_EmptyKey(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		e.want(t, e.batch(cmd("SET", "", e.tag), cmd("GET", ""), cmd("DEL", "")), "OK", strconv.Quote(e.tag), "1")
	})
}

func TestAcceptance127_SixtyFourMebibytes(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		value := large(64 << 20)
		results := e.must(t, e.batch(cmd("SET", e.k("k"), value), cmd("GET", e.k("k")), cmd("DEL", e.k("k"))).
			within(e.isCluster, 30*time.Second))
		if got := bytesOf(t, results[1]); string(got) != value {
			t.Errorf("GET returns %d bytes that are not the %d that were set", len(got), len(value))
		}
	})
}

func TestAcceptance008_037_DumpAndRestore(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		results := e.must(t, e.batch(
			cmd("RPUSH", e.k("l"), everyByte, "2", ""),
			cmd("DUMP", e.k("l")),
		))
		dump := bytesOf(t, results[1])
		// As a value like any other.
		results = e.must(t, e.batch(cmd("SET", e.k("copy"), string(dump)), cmd("GET", e.k("copy"))))
		if got := bytesOf(t, results[1]); !bytes.Equal(got, dump) {
			t.Errorf("written and read back, the dump is\n%q, not\n%q", got, dump)
		}
		// And as what it stands for.
		e.want(t, e.batch(
			cmd("RESTORE", e.k("restored"), "0", string(dump)),
			cmd("LRANGE", e.k("restored"), "0", "-1"),
			cmd("RESTORE", e.k("restored"), "0", string(dump)),
			cmd("RESTORE", e.k("restored"), "100000", string(dump), "REPLACE"),
		),
			"OK",
			"["+strconv.Quote(everyByte)+` "2" ""]`,
			"!BUSYKEY Target key name already exists.",
			"OK",
		)
	})
}

// A text command's reply that is no UTF-8 is bytes, and fails neither its batch nor itself.
func TestAcceptance009_132_TextAndBinaryMixed(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		k, bad := e.k("k"), e.k("bad")
		e.wantValues(t, e.batch(
			text("SET", k, "grüße"),
			cmd("SET", bad, "\xff\xfe"),
			text("GET", k),
			cmd("GET", k),
			text("GET", bad),
			text("MGET", k, bad, e.k("missing")),
			cmd("MGET", k, bad, e.k("missing")),
			text("GET", e.k("missing")),
			text("HSET", e.k("h"), "f", "v"),
			text("HGETALL", e.k("h")),
			cmd("HGETALL", e.k("h")),
			text("TYPE", k),
			cmd("TYPE", k),
			text("ECHO", ""),
			cmd("ECHO", ""),
		),
			aString("OK"), aString("OK"), aString("grüße"), aBulk("grüße"), aBulk("\xff\xfe"),
			anArray(aString("grüße"), aBulk("\xff\xfe"), aNull), anArray(aBulk("grüße"), aBulk("\xff\xfe"), aNull), aNull,
			anInteger(1), aMap(aString("f"), aString("v")), aMap(aBulk("f"), aBulk("v")),
			aString("string"), aString("string"), aString(""), aBulk(""),
		)
		results := e.must(t, e.batch(text("DUMP", k)))
		bytesOf(t, results[0])
	})
}
