package io.github.valkeybatch.example;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Status;
import io.github.valkeybatch.v1.BatchStatus;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.Optional;

/** What the service says of a call that failed, beyond its code and message. */
final class Details {
  private Details() {}

  /** The whole status of a call: the exception itself has only its code and message. */
  static Status statusOf(StatusRuntimeException e) {
    return StatusProto.fromThrowable(e);
  }

  /** The failure of a streamed batch, as the status that a call of its own would have had. */
  static Status statusOf(BatchStatus failure) {
    return Status.newBuilder()
        .setCode(failure.getCode())
        .setMessage(failure.getMessage())
        .addAllDetails(failure.getDetailsList())
        .build();
  }

  /**
   * The service's ErrorInfo of a call's error. Without one the status is gRPC's own or a proxy's, and
   * the batch may have run: the error is thrown again.
   */
  static ErrorInfo errorInfo(StatusRuntimeException e) {
    return find(statusOf(e), ErrorInfo.class).filter(i -> i.getDomain().equals("valkeybatch")).orElseThrow(() -> e);
  }

  /** The first detail of a kind. */
  static <T extends Message> Optional<T> find(Status status, Class<T> kind) {
    for (Any detail : status.getDetailsList()) {
      if (detail.is(kind)) {
        try {
          return Optional.of(detail.unpack(kind));
        } catch (InvalidProtocolBufferException e) {
          throw new IllegalArgumentException("a detail that is no " + kind.getSimpleName(), e);
        }
      }
    }
    return Optional.empty();
  }
}
