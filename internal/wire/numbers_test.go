package wire

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// TestNumbers holds the field numbers to the contract's: all of them, so that a field added to
// the contract is not forgotten here.
func TestNumbers(t *testing.T) {
	for _, test := range []struct {
		message proto.Message
		fields  map[protoreflect.Name]protowire.Number
	}{
		{&valkeybatchv1.ExecuteBatchRequest{}, map[protoreflect.Name]protowire.Number{
			"batch": requestBatch, "raise_on_error": requestRaise, "standalone_options": requestStandalone, "cluster_options": requestCluster}},
		{&valkeybatchv1.Batch{}, map[protoreflect.Name]protowire.Number{"is_atomic": batchAtomic, "commands": batchCommands}},
		{&valkeybatchv1.Command{}, map[protoreflect.Name]protowire.Number{"args": commandArgs, "text_args": commandText}},
		{&valkeybatchv1.StandaloneBatchOptions{}, map[protoreflect.Name]protowire.Number{"timeout": standaloneTimeout, "retry_strategy": standaloneRetry}},
		{&valkeybatchv1.ClusterBatchOptions{}, map[protoreflect.Name]protowire.Number{
			"timeout": clusterTimeout, "route": clusterRoute, "retry_strategy": clusterRetry}},
		{&durationpb.Duration{}, map[protoreflect.Name]protowire.Number{"seconds": durationSeconds, "nanos": durationNanos}},
		{&valkeybatchv1.BatchRetryStrategy{}, map[protoreflect.Name]protowire.Number{
			"retry_server_error": retryServer, "retry_connection_error": retryConnection}},
		{&valkeybatchv1.Route{}, map[protoreflect.Name]protowire.Number{
			"random": routeRandom, "slot_key": routeSlotKey, "slot_id": routeSlotID, "by_address": routeByAddress}},
		{&valkeybatchv1.RandomRoute{}, nil},
		{&valkeybatchv1.SlotKeyRoute{}, map[protoreflect.Name]protowire.Number{
			"key": slotKeyKey, "text_key": slotKeyText, "slot_type": slotKeyType}},
		{&valkeybatchv1.SlotIdRoute{}, map[protoreflect.Name]protowire.Number{"slot_id": slotIDID, "slot_type": slotIDType}},
		{&valkeybatchv1.ByAddressRoute{}, map[protoreflect.Name]protowire.Number{"host": addressHost, "port": addressPort}},
		{&valkeybatchv1.ExecuteBatchResponse{}, map[protoreflect.Name]protowire.Number{"results": responseResults, "failed_count": responseFailed}},
		{&valkeybatchv1.Value{}, map[protoreflect.Name]protowire.Number{
			"null_value": valueNull, "string_value": valueString, "bytes_value": valueBytes, "integer_value": valueInteger,
			"double_value": valueDouble, "boolean_value": valueBoolean, "big_number_value": valueBigNumber, "verbatim_value": valueVerbatim,
			"array_value": valueArray, "map_value": valueMap, "set_value": valueSet, "error_value": valueError}},
		{&valkeybatchv1.VerbatimString{}, map[protoreflect.Name]protowire.Number{"format": verbatimFormat, "data": verbatimData}},
		{&valkeybatchv1.ArrayValue{}, map[protoreflect.Name]protowire.Number{"elements": arrayElements}},
		{&valkeybatchv1.SetValue{}, map[protoreflect.Name]protowire.Number{"members": setMembers}},
		{&valkeybatchv1.MapValue{}, map[protoreflect.Name]protowire.Number{"entries": mapEntries}},
		{&valkeybatchv1.MapValue_Entry{}, map[protoreflect.Name]protowire.Number{"key": entryKey, "value": entryValue}},
		{&valkeybatchv1.CommandError{}, map[protoreflect.Name]protowire.Number{
			"code": errorCode, "message": errorMessage, "outcome": errorOutcome, "node": errorNode}},
		{&valkeybatchv1.StreamBatchesRequest{}, map[protoreflect.Name]protowire.Number{"id": streamRequestID, "request": streamRequestRequest}},
		{&valkeybatchv1.StreamBatchesResponse{}, map[protoreflect.Name]protowire.Number{
			"id": streamResponseID, "response": streamResponseResponse, "error": streamResponseError}},
	} {
		descriptor := test.message.ProtoReflect().Descriptor()
		fields := descriptor.Fields()
		if fields.Len() != len(test.fields) {
			t.Errorf("%s has %d fields, %d are known here", descriptor.Name(), fields.Len(), len(test.fields))
		}
		for name, num := range test.fields {
			if f := fields.ByName(name); f == nil || f.Number() != num {
				t.Errorf("%s.%s: got %d, the contract says %v", descriptor.Name(), name, num, f)
			}
			if num > 15 {
				t.Errorf("%s.%s: the tag of %d takes more than a byte", descriptor.Name(), name, num)
			}
		}
	}
}
