package wire

import (
	"unicode/utf8"

	"github.com/valkeybatch/valkeybatch/internal/options"
)

// The options of a request. Protobuf's rules for messages that come in pieces hold: a field
// given again is merged, another member of a oneof takes the place of the one before.

// fields calls take for each field of the message at path.
func fields(path string, b []byte, take func(f field) error) error {
	for len(b) > 0 {
		f, err := next(b)
		if err != nil {
			return malformed(path, err)
		}
		b = b[f.size:]
		if err := take(f); err != nil {
			return err
		}
	}
	return nil
}

// choose makes kind the one whose options are set.
func choose(in *options.Input, kind options.Kind) {
	if in.Kind != kind {
		in.Kind, in.Timeout, in.Route, in.Retry = kind, nil, nil, nil
	}
}

func standaloneOptions(in *options.Input, b []byte) error {
	const path = "standalone_options"
	choose(in, options.KindStandalone)
	return fields(path, b, func(f field) error {
		switch {
		case f.is(standaloneTimeout):
			return timeout(in, path+".timeout", f.value)
		case f.is(standaloneRetry):
			return retry(in, path+".retry_strategy", f.value)
		}
		return nil
	})
}

func clusterOptions(in *options.Input, b []byte) error {
	const path = "cluster_options"
	choose(in, options.KindCluster)
	return fields(path, b, func(f field) error {
		switch {
		case f.is(clusterTimeout):
			return timeout(in, path+".timeout", f.value)
		case f.is(clusterRoute):
			if in.Route == nil {
				in.Route = &options.RouteInput{}
			}
			return route(in.Route, path+".route", f.value)
		case f.is(clusterRetry):
			return retry(in, path+".retry_strategy", f.value)
		}
		return nil
	})
}

func timeout(in *options.Input, path string, b []byte) error {
	if in.Timeout == nil {
		in.Timeout = &options.Duration{}
	}
	return fields(path, b, func(f field) error {
		switch {
		case f.isVarint(durationSeconds):
			in.Timeout.Seconds = int64(f.number)
		case f.isVarint(durationNanos):
			in.Timeout.Nanos = int32(f.number)
		}
		return nil
	})
}

func retry(in *options.Input, path string, b []byte) error {
	if in.Retry == nil {
		in.Retry = &options.RetryInput{}
	}
	return fields(path, b, func(f field) error {
		switch {
		case f.isVarint(retryServer):
			in.Retry.ServerError = f.number != 0
		case f.isVarint(retryConnection):
			in.Retry.ConnectionError = f.number != 0
		}
		return nil
	})
}

func route(r *options.RouteInput, path string, b []byte) error {
	member := func(which options.RouteField) {
		if r.Which != which {
			*r = options.RouteInput{Which: which}
		}
	}
	return fields(path, b, func(f field) error {
		switch {
		case f.is(routeRandom):
			member(options.FieldRandom)
			return fields(path+".random", f.value, func(field) error { return nil })
		case f.is(routeSlotKey):
			member(options.FieldSlotKey)
			return slotKey(r, path+".slot_key", f.value)
		case f.is(routeSlotID):
			member(options.FieldSlotID)
			return fields(path+".slot_id", f.value, func(f field) error {
				switch {
				case f.isVarint(slotIDID):
					r.SlotID = uint32(f.number)
				case f.isVarint(slotIDType):
					r.SlotType = int32(f.number)
				}
				return nil
			})
		case f.is(routeByAddress):
			member(options.FieldByAddress)
			return byAddress(r, path+".by_address", f.value)
		}
		return nil
	})
}

func slotKey(r *options.RouteInput, path string, b []byte) error {
	return fields(path, b, func(f field) error {
		switch {
		case f.is(slotKeyKey):
			r.Key = f.value
		case f.is(slotKeyText):
			if !utf8.Valid(f.value) {
				return invalidText(path+".text_key", "give the key as key")
			}
			r.TextKey = string(f.value)
		case f.isVarint(slotKeyType):
			r.SlotType = int32(f.number)
		}
		return nil
	})
}

func byAddress(r *options.RouteInput, path string, b []byte) error {
	return fields(path, b, func(f field) error {
		switch {
		case f.is(addressHost):
			if !utf8.Valid(f.value) {
				return invalidText(path+".host", "give a host name or an IP address")
			}
			r.Host = string(f.value)
		case f.isVarint(addressPort):
			r.Port = uint32(f.number)
		}
		return nil
	})
}
