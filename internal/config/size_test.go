package config

import (
	"testing"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "1": 1, "1023": 1023, "1B": 1, "1KiB": 1024, "1 kib": 1024, "3MiB": 3 << 20,
		"2GiB": 2 << 30, "1TiB": 1 << 40, " 7 ": 7, "8388607TiB": 8388607 << 40,
	} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%q: got %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "B", "KiB", "-1", "1.5GiB", "1kb", "1MB", "x", "8388608TiB", "9223372036854775808", "1 2"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
	for size, want := range map[Size]string{0: "0", 1: "1", 1000: "1000", 1024: "1KiB", 1536: "1536", 128 * MiB: "128MiB", 2 * TiB: "2TiB"} {
		if size.String() != want {
			t.Errorf("%d: got %s, want %s", int64(size), size, want)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	f.Add("1GiB")
	f.Fuzz(func(t *testing.T, text string) {
		size, err := ParseSize(text)
		if err != nil {
			return
		}
		if again, err := ParseSize(size.String()); size < 0 || err != nil || again != size {
			t.Errorf("%q: %d, and again %d, %v", text, size, again, err)
		}
	})
}
