package slotmap

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// keys are keys with braces in every arrangement, and some without.
var keys = []string{
	"", "a", "foo", "123456789", "user:1000", "\x00\xff\r\n", strings.Repeat("long", 1000),
	"{}", "{}a", "a{}", "a{}b", "{a}", "{a}b", "a{b}c", "a{b}", "{a}{b}", "a{b}{c}d",
	"{", "}", "a{", "a}", "{a", "a}b", "}{", "}a{", "}a{b}c", "a}b{c}d",
	"{{a}}", "{{a}", "{a}}", "a{{b}}c", "{}{a}", "a{}{b}c", "{a{b}c}", "{{}", "{{}}", "{}}", "}{}",
	"{ }", "{\x00}", "{user1000}.following", "{user1000}.followers", "foo{}{bar}", "foo{{bar}}zap", "foo{bar}{zap}",
}

func TestSlot(t *testing.T) {
	// The checksum of "123456789" is the specification's own example; the others
	// are what CLUSTER KEYSLOT says.
	if got := crc16([]byte("123456789")); got != 0x31C3 {
		t.Errorf("crc16 = %#x, want 0x31c3", got)
	}
	for key, want := range map[string]uint16{"": 0, "foo": 12182, "bar": 5061, "hello": 866, "{foo}x": 12182, "x{foo}{bar}": 12182} {
		if got := Slot([]byte(key)); got != want {
			t.Errorf("Slot(%q) = %d, want %d", key, got, want)
		}
	}
}

func TestSlotTags(t *testing.T) {
	for key, tag := range map[string]string{
		"{}": "{}", "{a}b": "a", "a{b}c": "b", "a{}b": "a{}b", "{a}{b}": "a", "a{b": "a{b", "a}b": "a}b",
		"}a{b}": "b", "{{a}}": "{a", "{}{a}": "{}{a}", "foo{{bar}}zap": "{bar",
	} {
		if got := string(hashTag([]byte(key))); got != tag {
			t.Errorf("hashTag(%q) = %q, want %q", key, got, tag)
		}
	}
}

// naiveSlot follows the text of the cluster specification letter by letter.
func naiveSlot(key string) uint16 {
	hashed := key
	for s := 0; s < len(key); s++ {
		if key[s] != '{' {
			continue
		}
		for e := s + 1; e < len(key); e++ {
			if key[e] == '}' {
				if e != s+1 {
					hashed = key[s+1 : e]
				}
				break
			}
		}
		break
	}
	var crc uint16
	for i := range len(hashed) {
		for bit := 7; bit >= 0; bit-- {
			in := hashed[i] >> bit & 1
			out := byte(crc >> 15)
			crc <<= 1
			if in^out == 1 {
				crc ^= 0x1021
			}
		}
	}
	return crc % 16384
}

// TestSlotOfAllLengths checks keys of every length around what the checksum takes at a time.
func TestSlotOfAllLengths(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 100 {
		for range 20 {
			key := make([]byte, n)
			for i := range key {
				key[i] = byte(r.Uint32())
			}
			if got, want := Slot(key), naiveSlot(string(key)); got != want {
				t.Fatalf("Slot(%q) = %d, want %d", key, got, want)
			}
		}
	}
}

func FuzzSlot(f *testing.F) {
	for _, key := range keys {
		f.Add([]byte(key))
	}
	f.Fuzz(func(t *testing.T, key []byte) {
		got := Slot(key)
		if got >= Slots {
			t.Fatalf("Slot(%q) = %d", key, got)
		}
		if want := naiveSlot(string(key)); got != want {
			t.Errorf("Slot(%q) = %d, want %d", key, got, want)
		}
	})
}

func BenchmarkSlot(b *testing.B) {
	for _, key := range []string{"user:{1234567890}:name", "key:0000000042", strings.Repeat("k", 100)} {
		b.Run(fmt.Sprint(len(key)), func(b *testing.B) {
			key := []byte(key)
			for b.Loop() {
				Slot(key)
			}
		})
	}
}
