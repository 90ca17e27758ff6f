package io.github.valkeybatch.example;

import com.google.protobuf.ByteString;
import com.google.protobuf.Duration;
import com.google.rpc.ErrorInfo;
import io.github.valkeybatch.v1.Batch;
import io.github.valkeybatch.v1.BatchRetryStrategy;
import io.github.valkeybatch.v1.ClusterBatchOptions;
import io.github.valkeybatch.v1.Command;
import io.github.valkeybatch.v1.CommandError;
import io.github.valkeybatch.v1.ExecuteBatchRequest;
import io.github.valkeybatch.v1.StreamBatchesRequest;
import io.github.valkeybatch.v1.StreamBatchesResponse;
import io.grpc.StatusRuntimeException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/**
 * A tour of valkeybatch from Java: it runs against a server in front of a cluster (make cluster)
 * and prints a line for each thing it shows.
 */
public final class Main {
  private final BatchClient client;

  private Main(BatchClient client) {
    this.client = client;
  }

  public static void main(String[] args) throws Exception {
    String address = Objects.requireNonNullElse(System.getenv("VALKEYBATCH_ADDRESS"), "127.0.0.1:7400");
    // One channel serves the whole program: all calls share it, from any thread.
    try (BatchClient client = new BatchClient(address)) {
      Main tour = new Main(client);
      tour.pipeline();
      tour.atomic();
      tour.errorsInPlace();
      tour.errorRaised();
      tour.requestRefused();
      tour.retryStrategy();
      tour.binary();
      tour.deadline();
      tour.stream();
    }
  }

  /** Valkey wants all arguments as bytes, numbers as decimal text. */
  private static Command command(Object... args) {
    var command = Command.newBuilder();
    for (Object arg : args) {
      command.addArgs(arg instanceof ByteString bytes ? bytes : ByteString.copyFromUtf8(arg.toString()));
    }
    return command.build();
  }

  private static Batch pipelineOf(Command... commands) {
    return Batch.newBuilder().addAllCommands(List.of(commands)).build();
  }

  private static Batch atomicOf(Command... commands) {
    return pipelineOf(commands).toBuilder().setIsAtomic(true).build();
  }

  /**
   * Commands on keys of any slots in one batch: they go to all nodes at once, and MSET and MGET are
   * split between them.
   */
  private void pipeline() throws InterruptedException {
    var request =
        ExecuteBatchRequest.newBuilder()
            .setBatch(
                pipelineOf(
                    command("DEL", "java:count", "java:user"),
                    command("MSET", "java:a", 1, "java:b", 2, "java:c", 3),
                    command("MGET", "java:c", "java:b", "java:a", "java:nothing"),
                    command("INCRBY", "java:count", 9007199254740993L),
                    command("HSET", "java:user", "name", "Ada", "born", 1815),
                    command("HGETALL", "java:user")))
            .build();
    var response = client.executeBatch(request);
    // OK says that the batch was carried out, not that each command succeeded.
    if (response.getFailedCount() > 0) {
      throw new IllegalStateException(response.getFailedCount() + " commands of the pipeline failed");
    }
    var r = response.getResultsList(); // one per command, in their order
    System.out.printf(
        "pipeline: %s, %s, %s, %s%n", Show.value(r.get(1)), Show.value(r.get(2)), Show.value(r.get(3)), Show.value(r.get(5)));
  }

  /** MULTI/EXEC: on a cluster all keys must share a slot, as those with the same {hash tag} do. */
  private void atomic() throws InterruptedException {
    var batch =
        atomicOf(
            command("DEL", "java:{order}:count"),
            command("SET", "java:{order}:1", "paid"),
            command("INCR", "java:{order}:count"),
            command("GET", "java:{order}:1"));
    var results = client.executeBatch(ExecuteBatchRequest.newBuilder().setBatch(batch).build()).getResultsList();
    System.out.println("atomic: " + Show.values(results.subList(1, results.size())));
  }

  /** A batch of which one command fails: LPOP wants a list. */
  private static final Batch WRONG_TYPE =
      pipelineOf(command("SET", "java:text", "hello"), command("LPOP", "java:text"), command("GET", "java:text"));

  /** A command's error among the results: the others succeeded. */
  private void errorsInPlace() throws InterruptedException {
    var response = client.executeBatch(ExecuteBatchRequest.newBuilder().setBatch(WRONG_TYPE).build());
    System.out.printf("errors in place: %d of %d failed", response.getFailedCount(), response.getResultsCount());
    for (int i = 0; i < response.getResultsCount(); i++) {
      // Without this question getErrorValue gives an empty error where there is none.
      if (response.getResults(i).hasErrorValue()) {
        // The outcome says what may be sent again: OUTCOME_NOT_EXECUTED anything;
        // OUTCOME_FAILED and OUTCOME_UNKNOWN only what may take effect twice.
        CommandError error = response.getResults(i).getErrorValue();
        System.out.printf(": command %d with %s, %s", i, error.getCode(), error.getOutcome());
      }
    }
    System.out.println();
  }

  /** The error of a call that is to fail. */
  private StatusRuntimeException failure(ExecuteBatchRequest request) throws InterruptedException {
    try {
      client.executeBatch(request);
    } catch (StatusRuntimeException e) {
      return e;
    }
    throw new IllegalStateException("a call succeeded that was to fail");
  }

  /**
   * The same batch with raise_on_error: the call fails with the first error. The other commands ran
   * all the same; their results are dropped.
   */
  private void errorRaised() throws InterruptedException {
    var e = failure(ExecuteBatchRequest.newBuilder().setBatch(WRONG_TYPE).setRaiseOnError(true).build());
    ErrorInfo info = Details.errorInfo(e);
    Map<String, String> m = info.getMetadataMap();
    System.out.printf(
        "error raised: %s, %s: command %s (%s) with %s, %s%n",
        e.getStatus().getCode(), info.getReason(), m.get("index"), m.get("command"), m.get("code"), m.get("outcome"));
  }

  /**
   * A request that is wrong: nothing of it is sent, and a BadRequest names the field. Here the keys
   * of an atomic batch lie in two slots.
   */
  private void requestRefused() throws InterruptedException {
    var batch = atomicOf(command("SET", "java:a", 1), command("SET", "java:b", 2));
    var e = failure(ExecuteBatchRequest.newBuilder().setBatch(batch).build());
    Details.errorInfo(e); // the service's own, or thrown
    System.out.println("request refused: " + Show.status(Details.statusOf(e)));
  }

  /**
   * A pipeline that waits out a failover: commands that a node refuses for a passing condition are
   * retried until the timeout nears. What a lost connection left unanswered is not:
   * retry_connection_error would resend it, and it might run twice.
   */
  private void retryStrategy() throws InterruptedException {
    var request =
        ExecuteBatchRequest.newBuilder()
            .setBatch(pipelineOf(command("SET", "java:kept", "kept"), command("GET", "java:kept")))
            // Standalone options in front of a standalone server; no options at all fit both.
            .setClusterOptions(
                ClusterBatchOptions.newBuilder()
                    .setTimeout(Duration.newBuilder().setSeconds(20))
                    .setRetryStrategy(BatchRetryStrategy.newBuilder().setRetryServerError(true)))
            .build();
    System.out.println("retry strategy: " + Show.values(client.executeBatch(request).getResultsList()));
  }

  /** args and bytes_value take any bytes, text or not. */
  private void binary() throws InterruptedException {
    var value = ByteString.fromHex("00ff80c328"); // no valid UTF-8
    var batch = pipelineOf(command("SET", "java:binary", value), command("GET", "java:binary"));
    var response = client.executeBatch(ExecuteBatchRequest.newBuilder().setBatch(batch).build());
    byte[] back = response.getResults(1).getBytesValue().toByteArray();
    System.out.println("binary: " + HexFormat.of().formatHex(back));
  }

  /**
   * The end of a batch's own timeout, which is to be a little below the call's deadline: then the
   * status comes from the service and says how far the batch got. What was sent and not answered may
   * have taken effect.
   */
  private void deadline() throws InterruptedException {
    var request =
        ExecuteBatchRequest.newBuilder()
            .setBatch(pipelineOf(command("BLPOP", "java:nothing", 0)))
            .setClusterOptions(
                ClusterBatchOptions.newBuilder()
                    .setTimeout(Duration.newBuilder().setNanos((int) TimeUnit.MILLISECONDS.toNanos(300))))
            .build();
    var e = failure(request);
    ErrorInfo info = Details.errorInfo(e);
    System.out.printf(
        "deadline: %s, %s: %s of %s answered%n",
        e.getStatus().getCode(),
        info.getReason(),
        info.getMetadataOrThrow("answered"),
        info.getMetadataOrThrow("total"));
  }

  /**
   * Many batches on one stream: each is answered as it completes, in any order, with the id that it
   * was given, and fails alone.
   */
  private void stream() throws Exception {
    var batches =
        List.of(
            pipelineOf(command("ECHO", "one")),
            Batch.getDefaultInstance(), // wrong: a pipeline needs a command
            pipelineOf(command("BITCOUNT", "java:a")));
    var requests = new ArrayList<StreamBatchesRequest>();
    for (Batch batch : batches) {
      requests.add(
          StreamBatchesRequest.newBuilder()
              .setId(requests.size() + 1)
              .setRequest(ExecuteBatchRequest.newBuilder().setBatch(batch))
              .build());
    }
    var answers = new ArrayList<>(client.streamBatches(requests));
    answers.sort(Comparator.comparingLong(StreamBatchesResponse::getId));
    for (StreamBatchesResponse answer : answers) {
      System.out.println(
          switch (answer.getOutcomeCase()) {
            case ERROR -> "stream: batch %d failed: %s".formatted(answer.getId(), Show.status(Details.statusOf(answer.getError())));
            default -> "stream: batch %d gave %s".formatted(answer.getId(), Show.values(answer.getResponse().getResultsList()));
          });
    }
  }
}
