"""A tour of valkeybatch from Python.

Runs against a server in front of a cluster (make cluster) and prints a line for each thing it
shows.
"""

import os

import grpc
from google.protobuf.duration_pb2 import Duration

from connection import connect, send_again
from show import error_info, show, show_status, status_of
from valkeybatch.v1 import batch_service_pb2 as vb
from valkeybatch.v1 import batch_service_pb2_grpc as vb_grpc

# A call without a deadline waits for as long as the server lets it: give each one.
DEADLINE = 60  # seconds


def main() -> None:
    address = os.environ.get("VALKEYBATCH_ADDRESS", "127.0.0.1:7400")
    # One channel serves the whole program: all calls share it, from any thread.
    with connect(address) as channel:
        client = vb_grpc.BatchServiceStub(channel)
        pipeline(client)
        atomic(client)
        errors_in_place(client)
        error_raised(client)
        request_refused(client)
        retry_strategy(client)
        binary(client)
        deadline(client)
        stream(client)


def command(*args: str | bytes | int) -> vb.Command:
    """A command; Valkey wants all arguments as bytes, numbers as decimal text."""
    return vb.Command(args=[a if isinstance(a, bytes) else str(a).encode() for a in args])


def pipeline(client: vb_grpc.BatchServiceStub) -> None:
    """Commands on keys of any slots in one batch: they go to all nodes at once, and MSET and
    MGET are split between them."""
    request = vb.ExecuteBatchRequest(
        batch=vb.Batch(
            commands=[
                command("DEL", "py:count", "py:user"),
                command("MSET", "py:a", 1, "py:b", 2, "py:c", 3),
                command("MGET", "py:c", "py:b", "py:a", "py:nothing"),
                command("INCRBY", "py:count", 9007199254740993),
                command("HSET", "py:user", "name", "Ada", "born", 1815),
                command("HGETALL", "py:user"),
            ]
        )
    )
    response = send_again(client.ExecuteBatch, request, timeout=DEADLINE)
    # OK says that the batch was carried out, not that each command succeeded.
    if response.failed_count > 0:
        raise SystemExit(f"{response.failed_count} commands of the pipeline failed")
    _, mset, mget, incrby, _, hgetall = response.results  # one per command, in their order
    print(f"pipeline: {show(mset)}, {show(mget)}, {show(incrby)}, {show(hgetall)}")


def atomic(client: vb_grpc.BatchServiceStub) -> None:
    """MULTI/EXEC: on a cluster all keys must share a slot, as those with the same {hash tag} do."""
    request = vb.ExecuteBatchRequest(
        batch=vb.Batch(
            is_atomic=True,
            commands=[
                command("DEL", "py:{order}:count"),
                command("SET", "py:{order}:1", "paid"),
                command("INCR", "py:{order}:count"),
                command("GET", "py:{order}:1"),
            ],
        )
    )
    response = send_again(client.ExecuteBatch, request, timeout=DEADLINE)
    print("atomic:", ", ".join(show(result) for result in response.results[1:]))


# A batch of which one command fails: LPOP wants a list.
WRONG_TYPE = vb.Batch(
    commands=[
        command("SET", "py:text", "hello"),
        command("LPOP", "py:text"),
        command("GET", "py:text"),
    ]
)


def errors_in_place(client: vb_grpc.BatchServiceStub) -> None:
    """A command's error among the results: the others succeeded."""
    request = vb.ExecuteBatchRequest(batch=WRONG_TYPE)
    response = send_again(client.ExecuteBatch, request, timeout=DEADLINE)
    line = f"errors in place: {response.failed_count} of {len(response.results)} failed"
    for i, result in enumerate(response.results):
        # WhichOneof says which kind of value it is. Reading result.error_value instead
        # gives an empty error where there is none.
        if result.WhichOneof("kind") == "error_value":
            # The outcome says what may be sent again: OUTCOME_NOT_EXECUTED anything;
            # OUTCOME_FAILED and OUTCOME_UNKNOWN only what may take effect twice.
            error = result.error_value
            line += f": command {i} with {error.code}, {vb.Outcome.Name(error.outcome)}"
    print(line)


def failure(
    client: vb_grpc.BatchServiceStub, request: vb.ExecuteBatchRequest, timeout: float = DEADLINE
) -> grpc.RpcError:
    """The error of a call that is to fail."""
    try:
        send_again(client.ExecuteBatch, request, timeout=timeout)
    except grpc.RpcError as e:
        return e
    raise SystemExit("a call succeeded that was to fail")


def error_raised(client: vb_grpc.BatchServiceStub) -> None:
    """The same batch with raise_on_error: the call fails with the first error. The other
    commands ran all the same; their results are dropped."""
    request = vb.ExecuteBatchRequest(batch=WRONG_TYPE, raise_on_error=True)
    error = failure(client, request)
    info = error_info(error)
    m = info.metadata
    print(
        f"error raised: {error.code().name}, {info.reason}:"
        f" command {m['index']} ({m['command']}) with {m['code']}, {m['outcome']}"
    )


def request_refused(client: vb_grpc.BatchServiceStub) -> None:
    """A request that is wrong: nothing of it is sent, and a BadRequest names the field. Here
    the keys of an atomic batch lie in two slots."""
    request = vb.ExecuteBatchRequest(
        batch=vb.Batch(
            is_atomic=True, commands=[command("SET", "py:a", 1), command("SET", "py:b", 2)]
        )
    )
    error = failure(client, request)
    error_info(error)  # the service's own, or raised
    print("request refused:", show_status(status_of(error)))


def retry_strategy(client: vb_grpc.BatchServiceStub) -> None:
    """A pipeline that waits out a failover: commands that a node refuses for a passing condition
    are retried until the timeout nears. What a lost connection left unanswered is not:
    retry_connection_error would resend it, and it might run twice."""
    request = vb.ExecuteBatchRequest(
        batch=vb.Batch(commands=[command("SET", "py:kept", "kept"), command("GET", "py:kept")]),
        # standalone_options in front of a standalone server; no options at all fit both.
        cluster_options=vb.ClusterBatchOptions(
            timeout=Duration(seconds=20),
            retry_strategy=vb.BatchRetryStrategy(retry_server_error=True),
        ),
    )
    response = send_again(client.ExecuteBatch, request, timeout=DEADLINE)
    print("retry strategy:", ", ".join(show(result) for result in response.results))


def binary(client: vb_grpc.BatchServiceStub) -> None:
    """args and bytes_value take any bytes, text or not."""
    value = b"\x00\xff\x80\xc3\x28"  # no valid UTF-8
    request = vb.ExecuteBatchRequest(
        batch=vb.Batch(commands=[command("SET", "py:binary", value), command("GET", "py:binary")])
    )
    response = send_again(client.ExecuteBatch, request, timeout=DEADLINE)
    print("binary:", response.results[1].bytes_value.hex())


def deadline(client: vb_grpc.BatchServiceStub) -> None:
    """The end of a batch's own timeout, which is to be a little below the call's deadline: then
    the status comes from the service and says how far the batch got. What was sent and not
    answered may have taken effect."""
    request = vb.ExecuteBatchRequest(
        batch=vb.Batch(commands=[command("BLPOP", "py:nothing", 0)]),
        cluster_options=vb.ClusterBatchOptions(timeout=Duration(nanos=300_000_000)),
    )
    error = failure(client, request, timeout=20)
    info = error_info(error)
    answered, total = info.metadata["answered"], info.metadata["total"]
    print(f"deadline: {error.code().name}, {info.reason}: {answered} of {total} answered")


def stream(client: vb_grpc.BatchServiceStub) -> None:
    """Many batches on one stream: each is answered as it completes, in any order, with the id
    that it was given, and fails alone."""
    batches = [
        vb.Batch(commands=[command("ECHO", "one")]),
        vb.Batch(),  # wrong: a pipeline needs a command
        vb.Batch(commands=[command("BITCOUNT", "py:a")]),
    ]
    # gRPC draws the requests from a thread of its own, while the answers are read here.
    requests = (
        vb.StreamBatchesRequest(id=i, request=vb.ExecuteBatchRequest(batch=batch))
        for i, batch in enumerate(batches, start=1)
    )
    # Should the stream break off, batches without an answer may have run.
    answers = client.StreamBatches(requests, timeout=DEADLINE)
    for answer in sorted(answers, key=lambda a: a.id):
        if answer.WhichOneof("outcome") == "error":
            print(f"stream: batch {answer.id} failed: {show_status(answer.error)}")
        else:
            shown = ", ".join(show(result) for result in answer.response.results)
            print(f"stream: batch {answer.id} gave {shown}")


if __name__ == "__main__":
    main()
