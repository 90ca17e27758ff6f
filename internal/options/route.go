package options

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// The longest host name there can be (RFC 1035, section 3.1), and the highest port.
const (
	maxHost = 253
	maxPort = 65535
)

// parseRoute checks that a route names exactly one node. Whether the deployment has that
// node is the executor's to say.
func parseRoute(in RouteInput, field string) (Route, error) {
	switch in.Which {
	case FieldRandom:
		return Route{Kind: RouteRandom}, nil
	case FieldSlotKey:
		return parseSlotKey(in, field+".slot_key")
	case FieldSlotID:
		return parseSlotID(in, field+".slot_id")
	case FieldByAddress:
		return parseAddress(in, field+".by_address")
	default:
		return Route{}, invalidRoute(field, nil,
			"names no node: set one of random, slot_key, slot_id and by_address, or leave the route unset")
	}
}

func parseSlotKey(in RouteInput, field string) (Route, error) {
	key := in.Key
	switch {
	case len(in.Key) > 0 && in.TextKey != "":
		return Route{}, invalidRoute(field, nil, "key and text_key are both set: set exactly one")
	case len(in.Key) == 0 && in.TextKey == "":
		return Route{}, invalidRoute(field, nil, "neither key nor text_key is set: set exactly one")
	case in.TextKey != "":
		key = []byte(in.TextKey)
	}
	replica, err := parseSlotType(in.SlotType, field)
	if err != nil {
		return Route{}, err
	}
	return Route{Kind: RouteSlot, Slot: slotmap.Slot(key), Replica: replica}, nil
}

func parseSlotID(in RouteInput, field string) (Route, error) {
	if in.SlotID >= slotmap.Slots {
		return Route{}, invalidRoute(field+".slot_id",
			map[string]string{"actual": fmt.Sprint(in.SlotID), "allowed": fmt.Sprint(slotmap.Slots - 1)},
			fmt.Sprintf("slot %d does not exist: slots are 0 to %d", in.SlotID, slotmap.Slots-1))
	}
	replica, err := parseSlotType(in.SlotType, field)
	if err != nil {
		return Route{}, err
	}
	return Route{Kind: RouteSlot, Slot: uint16(in.SlotID), Replica: replica}, nil
}

// parseSlotType refuses numbers that the contract does not know. A later contract's value
// must not silently mean "primary".
func parseSlotType(slotType int32, field string) (replica bool, err error) {
	switch slotType {
	case slotTypeUnspecified, slotTypePrimary:
		return false, nil
	case slotTypeReplica:
		return true, nil
	default:
		return false, invalidRoute(field+".slot_type",
			map[string]string{"actual": fmt.Sprint(slotType)},
			fmt.Sprintf("slot type %d is unknown: use SLOT_TYPE_PRIMARY or SLOT_TYPE_REPLICA", slotType))
	}
}

func parseAddress(in RouteInput, field string) (Route, error) {
	host, err := parseHost(in.Host, field+".host")
	if err != nil {
		return Route{}, err
	}
	if in.Port == 0 || in.Port > maxPort {
		message := fmt.Sprintf("port %d does not exist: ports are 1 to %d", in.Port, maxPort)
		if in.Port == 0 {
			message = fmt.Sprintf("is required: ports are 1 to %d", maxPort)
		}
		return Route{}, invalidRoute(field+".port",
			map[string]string{"actual": fmt.Sprint(in.Port), "allowed": fmt.Sprint(maxPort)}, message)
	}
	return Route{Kind: RouteAddress, Addr: net.JoinHostPort(host, strconv.FormatUint(uint64(in.Port), 10))}, nil
}

// parseHost accepts a host name or an IP address, an IPv6 address with or without brackets,
// and returns it without brackets.
func parseHost(host, field string) (string, error) {
	if host == "" {
		return "", invalidRoute(field, nil, "is required: the node's host name or IP address")
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			if addr, err := netip.ParseAddr(inner); err == nil && addr.Is6() && addr.Zone() == "" {
				return inner, nil
			}
		}
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Zone() == "" {
		return host, nil
	}
	if len(host) > maxHost {
		return "", invalidRoute(field,
			map[string]string{"actual": fmt.Sprint(len(host)), "allowed": fmt.Sprint(maxHost)},
			fmt.Sprintf("is %d bytes long: host names have at most %d", len(host), maxHost))
	}
	if _, port, err := net.SplitHostPort(host); err == nil {
		return "", invalidRoute(field, nil, fmt.Sprintf("holds a port (%q): put it into the field port", port))
	}
	for _, r := range host {
		if !isHostRune(r) {
			return "", invalidRoute(field, nil, fmt.Sprintf("is not a host name or an IP address: it holds %q", r))
		}
	}
	return host, nil
}

// isHostRune reports whether r may stand in a host name as cluster nodes announce them.
func isHostRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_'
}

func invalidRoute(field string, metadata map[string]string, message string) *InvalidError {
	return &InvalidError{Field: field, Reason: ReasonInvalidRoute, Message: message, Metadata: metadata}
}
