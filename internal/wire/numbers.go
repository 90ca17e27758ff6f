package wire

import "google.golang.org/protobuf/encoding/protowire"

// The contract's field numbers.
const (
	requestBatch      protowire.Number = 1 // ExecuteBatchRequest.batch
	requestRaise      protowire.Number = 2 // ExecuteBatchRequest.raise_on_error
	requestStandalone protowire.Number = 3 // ExecuteBatchRequest.standalone_options
	requestCluster    protowire.Number = 4 // ExecuteBatchRequest.cluster_options

	batchAtomic   protowire.Number = 1 // Batch.is_atomic
	batchCommands protowire.Number = 2 // Batch.commands

	commandArgs protowire.Number = 1 // Command.args
	commandText protowire.Number = 2 // Command.text_args

	standaloneTimeout protowire.Number = 1 // StandaloneBatchOptions.timeout
	standaloneRetry   protowire.Number = 2 // StandaloneBatchOptions.retry_strategy

	clusterTimeout protowire.Number = 1 // ClusterBatchOptions.timeout
	clusterRoute   protowire.Number = 2 // ClusterBatchOptions.route
	clusterRetry   protowire.Number = 3 // ClusterBatchOptions.retry_strategy

	durationSeconds protowire.Number = 1 // google.protobuf.Duration.seconds
	durationNanos   protowire.Number = 2 // google.protobuf.Duration.nanos

	retryServer     protowire.Number = 1 // BatchRetryStrategy.retry_server_error
	retryConnection protowire.Number = 2 // BatchRetryStrategy.retry_connection_error

	routeRandom    protowire.Number = 1 // Route.random
	routeSlotKey   protowire.Number = 2 // Route.slot_key
	routeSlotID    protowire.Number = 3 // Route.slot_id
	routeByAddress protowire.Number = 4 // Route.by_address

	slotKeyKey  protowire.Number = 1 // SlotKeyRoute.key
	slotKeyText protowire.Number = 2 // SlotKeyRoute.text_key
	slotKeyType protowire.Number = 3 // SlotKeyRoute.slot_type

	slotIDID   protowire.Number = 1 // SlotIdRoute.slot_id
	slotIDType protowire.Number = 2 // SlotIdRoute.slot_type

	addressHost protowire.Number = 1 // ByAddressRoute.host
	addressPort protowire.Number = 2 // ByAddressRoute.port

	responseResults protowire.Number = 1 // ExecuteBatchResponse.results
	responseFailed  protowire.Number = 2 // ExecuteBatchResponse.failed_count

	valueNull      protowire.Number = 1  // Value.null_value
	valueString    protowire.Number = 2  // Value.string_value
	valueBytes     protowire.Number = 3  // Value.bytes_value
	valueInteger   protowire.Number = 4  // Value.integer_value
	valueDouble    protowire.Number = 5  // Value.double_value
	valueBoolean   protowire.Number = 6  // Value.boolean_value
	valueBigNumber protowire.Number = 7  // Value.big_number_value
	valueVerbatim  protowire.Number = 8  // Value.verbatim_value
	valueArray     protowire.Number = 9  // Value.array_value
	valueMap       protowire.Number = 10 // Value.map_value
	valueSet       protowire.Number = 11 // Value.set_value
	valueError     protowire.Number = 12 // Value.error_value

	verbatimFormat protowire.Number = 1 // VerbatimString.format
	verbatimData   protowire.Number = 2 // VerbatimString.data

	arrayElements protowire.Number = 1 // ArrayValue.elements
	setMembers    protowire.Number = 1 // SetValue.members
	mapEntries    protowire.Number = 1 // MapValue.entries
	entryKey      protowire.Number = 1 // MapValue.Entry.key
	entryValue    protowire.Number = 2 // MapValue.Entry.value

	errorCode    protowire.Number = 1 // CommandError.code
	errorMessage protowire.Number = 2 // CommandError.message
	errorOutcome protowire.Number = 3 // CommandError.outcome
	errorNode    protowire.Number = 4 // CommandError.node

	streamRequestID      protowire.Number = 1 // StreamBatchesRequest.id
	streamRequestRequest protowire.Number = 2 // StreamBatchesRequest.request

	streamResponseID       protowire.Number = 1 // StreamBatchesResponse.id
	streamResponseResponse protowire.Number = 2 // StreamBatchesResponse.response
	streamResponseError    protowire.Number = 3 // StreamBatchesResponse.error
)

// tag is the first byte of a field of these numbers: all are below 16.
func tag(num protowire.Number, typ protowire.Type) byte { return byte(num)<<3 | byte(typ) }

// The tags of commands and their arguments.
const (
	tagCommand = byte(batchCommands)<<3 | byte(protowire.BytesType)

	tagArgs = byte(commandArgs)<<3 | byte(protowire.BytesType)
	tagText = byte(commandText)<<3 | byte(protowire.BytesType)
)
