package httpapi

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// jsonMessage is what a jsonWriter needs of a message of the contract.
type jsonMessage struct {
	fields map[protowire.Number]*jsonField
	// opaque is set instead for messages with a JSON form of their own.
	opaque protoreflect.MessageType
}

type jsonField struct {
	key     string // with its colon
	kind    protoreflect.Kind
	wire    protowire.Type
	list    bool
	enum    protoreflect.EnumValueDescriptors
	message *jsonMessage
}

// The messages that are written.
var (
	jsonMessages              = make(map[protoreflect.FullName]*jsonMessage)
	jsonExecuteBatchResponse  = mustDescribe((*valkeybatchv1.ExecuteBatchResponse)(nil))
	jsonStreamBatchesResponse = mustDescribe((*valkeybatchv1.StreamBatchesResponse)(nil))
)

// mustDescribe panics, as the program starts, if the contract has come to use what a jsonWriter
// does not know.
func mustDescribe(m protoreflect.ProtoMessage) *jsonMessage {
	return describe(m.ProtoReflect().Descriptor())
}

func describe(d protoreflect.MessageDescriptor) *jsonMessage {
	if m := jsonMessages[d.FullName()]; m != nil {
		return m
	}
	m := &jsonMessage{fields: make(map[protowire.Number]*jsonField)}
	jsonMessages[d.FullName()] = m // before its fields: messages hold themselves
	if strings.HasPrefix(string(d.FullName()), "google.protobuf.") {
		kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
		if err != nil {
			panic(fmt.Sprintf("httpapi: %s: %v", d.FullName(), err))
		}
		m.opaque = kind
		return m
	}
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		f := &jsonField{key: `"` + fd.JSONName() + `":`, kind: fd.Kind(), wire: protowire.VarintType, list: fd.IsList()}
		switch fd.Kind() {
		case protoreflect.MessageKind:
			f.message, f.wire = describe(fd.Message()), protowire.BytesType
		case protoreflect.EnumKind:
			f.enum = fd.Enum().Values()
		case protoreflect.StringKind, protoreflect.BytesKind:
			f.wire = protowire.BytesType
		case protoreflect.DoubleKind:
			f.wire = protowire.Fixed64Type
		case protoreflect.BoolKind, protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		default:
			panic(fmt.Sprintf("httpapi: %s is of a kind that has no JSON yet: %s", fd.FullName(), fd.Kind()))
		}
		if fd.IsPacked() || fd.IsMap() {
			panic(fmt.Sprintf("httpapi: %s is a list or a map that has no JSON yet", fd.FullName()))
		}
		m.fields[fd.Number()] = f
	}
	return m
}
