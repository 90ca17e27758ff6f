"""How to reach the service, and how to send a batch again without running it twice."""

import time
from pathlib import Path

import grpc
from google.rpc import error_details_pb2

from show import details, status_of

# The largest response that this client takes. gRPC's own limit is 4 MiB; a batch whose replies
# are larger has run and fails in the client all the same.
MAX_REPLY = 64 << 20

# Safe for all batches: calls wait for a server that cannot be reached, and nothing that may
# have run is sent again.
SERVICE_CONFIG = Path(__file__).parent.parent / "service-config.json"


def connect(address: str) -> grpc.Channel:
    return grpc.insecure_channel(
        address,
        options=[
            ("grpc.service_config", SERVICE_CONFIG.read_text()),
            ("grpc.max_receive_message_length", MAX_REPLY),
        ],
    )


def send_again(call, request, timeout: float):
    """Makes a call, and repeats it while the service asks for that.

    It gives a RetryInfo only when nothing of the batch has run (it was at its load, or the
    deployment was out of reach), which no status code says by itself: UNAVAILABLE is also
    what gRPC makes of a lost connection.
    """
    end = time.monotonic() + timeout
    while True:
        try:
            return call(request, timeout=end - time.monotonic())
        except grpc.RpcError as e:
            retry = next(details(status_of(e), error_details_pb2.RetryInfo), None)
            if retry is None:
                raise
            delay = retry.retry_delay.ToTimedelta().total_seconds()
            if time.monotonic() + delay >= end:
                raise
            time.sleep(delay)
