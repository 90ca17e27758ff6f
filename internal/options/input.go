package options

// Input is what a request says about its options, before validation. It mirrors the contract
// without depending on its generated code.
type Input struct {
	// Atomic is the batch's is_atomic.
	Atomic bool
	// RaiseOnError is the request's raise_on_error.
	RaiseOnError bool
	// Kind says which member of the options oneof is set; [KindAny]: none, and then the
	// fields below mean nothing.
	Kind Kind
	// Timeout is nil when unset.
	Timeout *Duration
	// Route is nil when unset. Only cluster options have one.
	Route *RouteInput
	// Retry is nil when unset.
	Retry *RetryInput
}

// Duration is a google.protobuf.Duration as it came, which may be out of its range.
type Duration struct {
	Seconds int64
	Nanos   int32
}

// RetryInput is a retry strategy as it came.
type RetryInput struct {
	ServerError     bool
	ConnectionError bool
}

// RouteInput is a route as it came. Which holds the member of the oneof that is set.
type RouteInput struct {
	Which RouteField
	// Key and TextKey are the two forms of a slot key, for [FieldSlotKey]; exactly one must
	// be non-empty.
	Key     []byte
	TextKey string
	// SlotID is for [FieldSlotID].
	SlotID uint32
	// SlotType is the number of the contract's SlotType, for [FieldSlotKey] and [FieldSlotID].
	SlotType int32
	// Host and Port are for [FieldByAddress].
	Host string
	Port uint32
}

// RouteField is a member of the contract's Route oneof.
type RouteField uint8

const (
	// FieldNone is a route with no member set.
	FieldNone RouteField = iota
	// FieldRandom is the member "random".
	FieldRandom
	// FieldSlotKey is the member "slot_key".
	FieldSlotKey
	// FieldSlotID is the member "slot_id".
	FieldSlotID
	// FieldByAddress is the member "by_address".
	FieldByAddress
)

// The numbers of the contract's SlotType.
const (
	slotTypeUnspecified = 0
	slotTypePrimary     = 1
	slotTypeReplica     = 2
)
