package executor

import "testing"

func TestParseRedirect(t *testing.T) {
	const from = "10.0.0.9:7000"
	tests := []struct {
		text string
		want redirect
		ok   bool
	}{
		{"MOVED 3999 127.0.0.1:6381", redirect{slot: 3999, addr: "127.0.0.1:6381"}, true},
		{"ASK 0 127.0.0.1:6381", redirect{ask: true, addr: "127.0.0.1:6381"}, true},
		{"MOVED 16383 valkey-1.example:6379", redirect{slot: 16383, addr: "valkey-1.example:6379"}, true},
		{"MOVED 1 ::1:6379", redirect{slot: 1, addr: "[::1]:6379"}, true},
		{"MOVED 1 [::1]:6379", redirect{slot: 1, addr: "[::1]:6379"}, true},
		// An empty or unknown endpoint is the host that was asked.
		{"MOVED 1 :6380", redirect{slot: 1, addr: "10.0.0.9:6380"}, true},
		{"MOVED 1 ?:6380", redirect{slot: 1, addr: "10.0.0.9:6380"}, true},
		{text: "MOVED 16384 127.0.0.1:6381"},
		{text: "MOVED -1 127.0.0.1:6381"},
		{text: "MOVED +1 127.0.0.1:6381"},
		{text: "MOVED 01 127.0.0.1:6381"},
		{text: "MOVED 1"},
		{text: "MOVED"},
		{text: "MOVED 1 127.0.0.1"},
		{text: "MOVED 1 127.0.0.1:"},
		{text: "MOVED 1 127.0.0.1:0"},
		{text: "MOVED 1 127.0.0.1:65536"},
		{text: "MOVED 1 127.0.0.1:6379 more"},
		{text: "MOVED  1 127.0.0.1:6379"},
		{text: "moved 1 127.0.0.1:6379"},
		{text: "ASKED 1 127.0.0.1:6379"},
		{text: ""},
	}
	for _, tt := range tests {
		got, ok := parseRedirect(tt.text, from)
		if ok != tt.ok || got != tt.want {
			t.Errorf("parseRedirect(%q) = %+v, %v, want %+v, %v", tt.text, got, ok, tt.want, tt.ok)
		}
	}
}

func FuzzParseRedirect(f *testing.F) {
	f.Add("MOVED 3999 127.0.0.1:6381", "127.0.0.1:1")
	f.Add("ASK 1 :1", "")
	f.Add("MOVED 1 ?:1", "[::1]:2")
	f.Fuzz(func(t *testing.T, text, from string) {
		rd, ok := parseRedirect(text, from)
		if ok && (rd.slot < 0 || rd.slot > 16383 || rd.addr == "") {
			t.Fatalf("parseRedirect(%q) = %+v", text, rd)
		}
	})
}
