"""Replies and statuses as text."""

from collections.abc import Iterator

import grpc
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from valkeybatch.v1 import batch_service_pb2 as vb


def show(value: vb.Value) -> str:
    """A reply of any type as text. A string reply of a command given as args is bytes, whatever
    it holds; only the program knows that these are text."""
    match value.WhichOneof("kind"):
        case "null_value":
            return "null"
        case "bytes_value":
            return value.bytes_value.decode()
        case "verbatim_value":
            return value.verbatim_value.data.decode()
        case "array_value":
            return "[" + ", ".join(map(show, value.array_value.elements)) + "]"
        case "set_value":
            return "{" + ", ".join(map(show, value.set_value.members)) + "}"
        case "map_value":  # a list of entries and no dict: keys may be of any type
            entries = value.map_value.entries
            return "{" + ", ".join(f"{show(e.key)}: {show(e.value)}" for e in entries) + "}"
        case "error_value":
            return value.error_value.message
        case None:  # a kind that a newer server knows
            return str(value)
        case kind:  # text, numbers and booleans
            return str(getattr(value, kind))


def show_status(status: status_pb2.Status | vb.BatchStatus) -> str:
    """A status's code, the service's reason and the fields that are wrong."""
    text = code_pb2.Code.Name(status.code)
    for info in details(status, error_details_pb2.ErrorInfo):
        text += f", {info.reason}"
    for bad_request in details(status, error_details_pb2.BadRequest):
        for violation in bad_request.field_violations:
            text += f": {violation.field}"
    return text


def status_of(error: grpc.RpcError) -> status_pb2.Status:
    """The whole status of a call: the exception itself has only its code and message."""
    status = rpc_status.from_call(error)
    # None where the status came without details: from gRPC itself or a proxy, not the service.
    return status or status_pb2.Status(code=error.code().value[0], message=error.details())


def error_info(error: grpc.RpcError) -> error_details_pb2.ErrorInfo:
    """The service's ErrorInfo of a call's error. Without one the status is gRPC's own or a
    proxy's, and the batch may have run: it is raised again."""
    for info in details(status_of(error), error_details_pb2.ErrorInfo):
        if info.domain == "valkeybatch":
            return info
    raise error


def details(status: status_pb2.Status | vb.BatchStatus, kind: type[Message]) -> Iterator:
    """The details of one kind."""
    for packed in status.details:
        detail = kind()
        if packed.Unpack(detail):  # False when it is of another kind
            yield detail
