package options

import (
	"errors"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

var defaults = Defaults{Timeout: 5 * time.Second, MaxTimeout: 5 * time.Minute}

func TestParse(t *testing.T) {
	for name, test := range map[string]struct {
		in   Input
		want Options
	}{
		"none": {
			in:   Input{},
			want: Options{Timeout: 5 * time.Second},
		},
		"none, atomic, raise": {
			in:   Input{Atomic: true, RaiseOnError: true},
			want: Options{Timeout: 5 * time.Second, RaiseOnError: true},
		},
		"empty standalone": {
			in:   Input{Kind: KindStandalone},
			want: Options{Timeout: 5 * time.Second, Kind: KindStandalone},
		},
		"empty cluster": {
			in:   Input{Kind: KindCluster, Atomic: true},
			want: Options{Timeout: 5 * time.Second, Kind: KindCluster},
		},
		"timeout": {
			in:   Input{Kind: KindStandalone, Timeout: &Duration{Seconds: 1, Nanos: 500}},
			want: Options{Timeout: time.Second + 500, Kind: KindStandalone},
		},
		"the shortest timeout": {
			in:   Input{Kind: KindStandalone, Timeout: &Duration{Nanos: 1}},
			want: Options{Timeout: 1, Kind: KindStandalone},
		},
		"timeout above the maximum": {
			in:   Input{Kind: KindCluster, Timeout: &Duration{Seconds: 301}},
			want: Options{Timeout: 5 * time.Minute, Kind: KindCluster},
		},
		"timeout above what Go can hold": {
			in:   Input{Kind: KindCluster, Timeout: &Duration{Seconds: maxDurationSeconds, Nanos: maxDurationNanos}},
			want: Options{Timeout: 5 * time.Minute, Kind: KindCluster},
		},
		"retries": {
			in:   Input{Kind: KindStandalone, Retry: &RetryInput{ServerError: true, ConnectionError: true}},
			want: Options{Timeout: 5 * time.Second, Kind: KindStandalone, RetryServerError: true, RetryConnectionError: true},
		},
		"one retry": {
			in:   Input{Kind: KindCluster, Retry: &RetryInput{ConnectionError: true}},
			want: Options{Timeout: 5 * time.Second, Kind: KindCluster, RetryConnectionError: true},
		},
		"random route": {
			in:   Input{Kind: KindCluster, Route: &RouteInput{Which: FieldRandom}},
			want: cluster(Route{Kind: RouteRandom}),
		},
		"slot id": {
			in:   Input{Kind: KindCluster, Route: &RouteInput{Which: FieldSlotID, SlotID: 16383, SlotType: 2}},
			want: cluster(Route{Kind: RouteSlot, Slot: 16383, Replica: true}),
		},
		"slot key": {
			in:   Input{Kind: KindCluster, Route: &RouteInput{Which: FieldSlotKey, Key: []byte("a{foo}b"), SlotType: 1}},
			want: cluster(Route{Kind: RouteSlot, Slot: slotmap.Slot([]byte("foo"))}),
		},
		"slot text key": {
			in:   Input{Kind: KindCluster, Route: &RouteInput{Which: FieldSlotKey, TextKey: "foo", SlotType: 2}},
			want: cluster(Route{Kind: RouteSlot, Slot: slotmap.Slot([]byte("foo")), Replica: true}),
		},
		"address": {
			in:   Input{Kind: KindCluster, Route: &RouteInput{Which: FieldByAddress, Host: "valkey-0.valkey_svc.local", Port: 65535}},
			want: cluster(Route{Kind: RouteAddress, Addr: "valkey-0.valkey_svc.local:65535"}),
		},
		"IPv4 address": {
			in:   Input{Kind: KindCluster, Route: &RouteInput{Which: FieldByAddress, Host: "127.0.0.1", Port: 1}},
			want: cluster(Route{Kind: RouteAddress, Addr: "127.0.0.1:1"}),
		},
		"IPv6 address": {
			in:   Input{Kind: KindCluster, Route: &RouteInput{Which: FieldByAddress, Host: "::1", Port: 7000}},
			want: cluster(Route{Kind: RouteAddress, Addr: "[::1]:7000"}),
		},
		"IPv6 address in brackets": {
			in:   Input{Kind: KindCluster, Route: &RouteInput{Which: FieldByAddress, Host: "[fd00::1]", Port: 7000}},
			want: cluster(Route{Kind: RouteAddress, Addr: "[fd00::1]:7000"}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(test.in, defaults)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func cluster(route Route) Options {
	return Options{Timeout: 5 * time.Second, Kind: KindCluster, Route: route}
}

func TestParseRefuses(t *testing.T) {
	timeout := func(seconds int64, nanos int32) Input {
		return Input{Kind: KindStandalone, Timeout: &Duration{Seconds: seconds, Nanos: nanos}}
	}
	route := func(r RouteInput) Input { return Input{Kind: KindCluster, Route: &r} }
	address := func(host string, port uint32) Input {
		return route(RouteInput{Which: FieldByAddress, Host: host, Port: port})
	}
	for name, test := range map[string]struct {
		in     Input
		field  string
		reason string
		says   string
	}{
		"zero timeout":             {timeout(0, 0), "standalone_options.timeout", ReasonInvalidTimeout, "0s"},
		"negative timeout":         {timeout(-3, 0), "standalone_options.timeout", ReasonInvalidTimeout, "-3s"},
		"negative nanos":           {timeout(0, -1), "standalone_options.timeout", ReasonInvalidTimeout, "-0.000000001s"},
		"negative of both":         {timeout(-1, -5e8), "standalone_options.timeout", ReasonInvalidTimeout, "-1.500000000s"},
		"mixed signs":              {timeout(1, -1), "standalone_options.timeout", ReasonInvalidTimeout, "differ in sign"},
		"mixed signs, reversed":    {timeout(-1, 1), "standalone_options.timeout", ReasonInvalidTimeout, "differ in sign"},
		"nanos out of range":       {timeout(1, 1e9), "standalone_options.timeout", ReasonInvalidTimeout, "1000000000 nanos"},
		"nanos far out of range":   {timeout(0, math.MinInt32), "standalone_options.timeout", ReasonInvalidTimeout, "-2147483648 nanos"},
		"seconds out of range":     {timeout(maxDurationSeconds+1, 0), "standalone_options.timeout", ReasonInvalidTimeout, "315576000001 seconds"},
		"seconds far out of range": {timeout(math.MinInt64, 0), "standalone_options.timeout", ReasonInvalidTimeout, "-9223372036854775808 seconds"},
		"cluster timeout": {Input{Kind: KindCluster, Timeout: &Duration{}},
			"cluster_options.timeout", ReasonInvalidTimeout, "0s"},

		"empty route": {route(RouteInput{}), "cluster_options.route", ReasonInvalidRoute, "names no node"},
		"no slot key": {route(RouteInput{Which: FieldSlotKey}), "cluster_options.route.slot_key", ReasonInvalidRoute, "neither"},
		"both slot keys": {route(RouteInput{Which: FieldSlotKey, Key: []byte("a"), TextKey: "a"}),
			"cluster_options.route.slot_key", ReasonInvalidRoute, "both"},
		"slot too high": {route(RouteInput{Which: FieldSlotID, SlotID: 16384}),
			"cluster_options.route.slot_id.slot_id", ReasonInvalidRoute, "slot 16384 does not exist: slots are 0 to 16383"},
		"slot far too high": {route(RouteInput{Which: FieldSlotID, SlotID: math.MaxUint32}),
			"cluster_options.route.slot_id.slot_id", ReasonInvalidRoute, "4294967295"},
		"unknown slot type": {route(RouteInput{Which: FieldSlotID, SlotType: 3}),
			"cluster_options.route.slot_id.slot_type", ReasonInvalidRoute, "3 is unknown"},
		"negative slot type": {route(RouteInput{Which: FieldSlotKey, TextKey: "k", SlotType: -1}),
			"cluster_options.route.slot_key.slot_type", ReasonInvalidRoute, "-1 is unknown"},
		"no host":            {address("", 1), "cluster_options.route.by_address.host", ReasonInvalidRoute, "required"},
		"host with port":     {address("node:7000", 7000), "cluster_options.route.by_address.host", ReasonInvalidRoute, `"7000"`},
		"IPv6 with port":     {address("[::1]:7000", 7000), "cluster_options.route.by_address.host", ReasonInvalidRoute, `"7000"`},
		"IPv6 with zone":     {address("fe80::1%eth0", 1), "cluster_options.route.by_address.host", ReasonInvalidRoute, "not a host name"},
		"open bracket":       {address("[::1", 1), "cluster_options.route.by_address.host", ReasonInvalidRoute, "not a host name"},
		"IPv4 in brackets":   {address("[1.2.3.4]", 1), "cluster_options.route.by_address.host", ReasonInvalidRoute, "not a host name"},
		"host with space":    {address("a b", 1), "cluster_options.route.by_address.host", ReasonInvalidRoute, "' '"},
		"host with newline":  {address("a\nb", 1), "cluster_options.route.by_address.host", ReasonInvalidRoute, `'\n'`},
		"URL":                {address("http//x", 1), "cluster_options.route.by_address.host", ReasonInvalidRoute, "'/'"},
		"host too long":      {address(strings.Repeat("a", 254), 1), "cluster_options.route.by_address.host", ReasonInvalidRoute, "254 bytes"},
		"no port":            {address("a", 0), "cluster_options.route.by_address.port", ReasonInvalidRoute, "required"},
		"port too high":      {address("a", 65536), "cluster_options.route.by_address.port", ReasonInvalidRoute, "port 65536 does not exist: ports are 1 to 65535"},
		"atomic with retry":  {Input{Kind: KindCluster, Atomic: true, Retry: &RetryInput{ServerError: true}}, "cluster_options.retry_strategy", ReasonAtomicRetry, "atomic"},
		"atomic, flags off":  {Input{Kind: KindStandalone, Atomic: true, Retry: &RetryInput{}}, "standalone_options.retry_strategy", ReasonAtomicRetry, "atomic"},
		"timeout goes first": {Input{Kind: KindCluster, Timeout: &Duration{}, Route: &RouteInput{}}, "cluster_options.timeout", ReasonInvalidTimeout, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(test.in, defaults)
			var invalid *InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("got %v, want an InvalidError", err)
			}
			if invalid.Field != test.field || invalid.Reason != test.reason || !strings.Contains(invalid.Message, test.says) {
				t.Errorf("got %s %s %q, want %s %s and %q", invalid.Field, invalid.Reason, invalid.Message, test.field, test.reason, test.says)
			}
		})
	}
}

func TestCheckKind(t *testing.T) {
	for _, test := range []struct {
		options, deployment Kind
		fits                bool
	}{
		{KindAny, KindStandalone, true},
		{KindAny, KindCluster, true},
		{KindStandalone, KindStandalone, true},
		{KindStandalone, KindCluster, false},
		{KindCluster, KindStandalone, false},
		{KindCluster, KindCluster, true},
		{KindCluster, KindAny, true},
	} {
		err := Options{Kind: test.options}.CheckKind(test.deployment)
		var mismatch *KindError
		switch {
		case test.fits && err != nil:
			t.Errorf("%v on %v: %v", test.options, test.deployment, err)
		case !test.fits && !errors.As(err, &mismatch):
			t.Errorf("%v on %v: got %v, want a KindError", test.options, test.deployment, err)
		case !test.fits && !strings.Contains(err.Error(), test.options.String()+"_options"):
			t.Errorf("%v on %v: %q does not name the field", test.options, test.deployment, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(true, uint8(2), int64(1), int32(1), uint8(4), []byte("k"), "", uint32(7), int32(1), "host", uint32(6379))
	f.Add(false, uint8(2), int64(-1), int32(1), uint8(4), []byte(nil), "", uint32(0), int32(0), "[::1]:1", uint32(0))
	f.Add(false, uint8(1), int64(math.MaxInt64), int32(math.MaxInt32), uint8(0), []byte(nil), "x", uint32(16384), int32(9), "::1", uint32(70000))
	f.Fuzz(func(t *testing.T, atomic bool, kind uint8, seconds int64, nanos int32, which uint8,
		key []byte, textKey string, slot uint32, slotType int32, host string, port uint32,
	) {
		got, err := Parse(Input{
			Atomic:  atomic,
			Kind:    Kind(kind % 3),
			Timeout: &Duration{Seconds: seconds, Nanos: nanos},
			Route: &RouteInput{Which: RouteField(which % 6), Key: key, TextKey: textKey,
				SlotID: slot, SlotType: slotType, Host: host, Port: port},
		}, defaults)
		if err != nil {
			var invalid *InvalidError
			if !errors.As(err, &invalid) || invalid.Field == "" || invalid.Reason == "" || invalid.Message == "" {
				t.Fatalf("%#v is no complete InvalidError", err)
			}
			return
		}
		if got.Timeout <= 0 || got.Timeout > defaults.MaxTimeout {
			t.Errorf("timeout %v", got.Timeout)
		}
		if got.Route.Slot >= slotmap.Slots {
			t.Errorf("slot %d", got.Route.Slot)
		}
		if got.Route.Kind == RouteAddress {
			h, p, err := net.SplitHostPort(got.Route.Addr)
			if err != nil || h == "" || p == "" || p == "0" {
				t.Errorf("address %q: %v", got.Route.Addr, err)
			}
		}
	})
}
