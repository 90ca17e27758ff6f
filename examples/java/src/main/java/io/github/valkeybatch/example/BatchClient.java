package io.github.valkeybatch.example;

import com.google.gson.Gson;
import com.google.rpc.RetryInfo;
import io.github.valkeybatch.v1.BatchServiceGrpc;
import io.github.valkeybatch.v1.ExecuteBatchRequest;
import io.github.valkeybatch.v1.ExecuteBatchResponse;
import io.github.valkeybatch.v1.StreamBatchesRequest;
import io.github.valkeybatch.v1.StreamBatchesResponse;
import io.grpc.Deadline;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** How to reach the service, and how to send a batch again without running it twice. */
final class BatchClient implements AutoCloseable {
  /**
   * The largest response that this client takes. gRPC's own limit is 4 MiB; a batch whose replies are
   * larger has run and fails in the client all the same.
   */
  private static final int MAX_REPLY = 64 << 20;

  /** A call without a deadline waits for as long as the server lets it: each gets this one. */
  private static final long DEADLINE_SECONDS = 60;

  private final ManagedChannel channel;
  private final BatchServiceGrpc.BatchServiceBlockingStub blocking;
  private final BatchServiceGrpc.BatchServiceStub async;

  BatchClient(String address) throws IOException {
    channel =
        Grpc.newChannelBuilder(address, InsecureChannelCredentials.create())
            .defaultServiceConfig(serviceConfig())
            .maxInboundMessageSize(MAX_REPLY)
            .build();
    blocking = BatchServiceGrpc.newBlockingStub(channel);
    async = BatchServiceGrpc.newStub(channel);
  }

  /**
   * Safe for all batches: calls wait for a server that cannot be reached, and nothing that may have
   * run is sent again.
   */
  private static Map<String, ?> serviceConfig() throws IOException {
    try (Reader json =
        new InputStreamReader(
            BatchClient.class.getResourceAsStream("/service-config.json"), StandardCharsets.UTF_8)) {
      @SuppressWarnings("unchecked")
      Map<String, ?> config = new Gson().fromJson(json, Map.class);
      return config;
    }
  }

  /**
   * Executes a batch, and repeats that while the service asks for it. It gives a RetryInfo only when
   * nothing of the batch has run (it was at its load, or the deployment was out of reach), which no
   * status code says by itself: UNAVAILABLE is also what gRPC makes of a lost connection.
   */
  ExecuteBatchResponse executeBatch(ExecuteBatchRequest request) throws InterruptedException {
    Deadline deadline = Deadline.after(DEADLINE_SECONDS, TimeUnit.SECONDS);
    while (true) {
      try {
        return blocking.withDeadline(deadline).executeBatch(request);
      } catch (StatusRuntimeException e) {
        Optional<RetryInfo> retry = Details.find(Details.statusOf(e), RetryInfo.class);
        if (retry.isEmpty()) {
          throw e;
        }
        var delay = retry.get().getRetryDelay();
        long millis = TimeUnit.SECONDS.toMillis(delay.getSeconds()) + TimeUnit.NANOSECONDS.toMillis(delay.getNanos());
        if (deadline.timeRemaining(TimeUnit.MILLISECONDS) <= millis) {
          throw e;
        }
        Thread.sleep(millis);
      }
    }
  }

  /**
   * Sends batches on one stream and returns their answers, in the order in which they came. Should the
   * stream break off (this then throws), batches without an answer may have run.
   */
  List<StreamBatchesResponse> streamBatches(List<StreamBatchesRequest> requests) throws Exception {
    var answers = new ArrayList<StreamBatchesResponse>();
    var completed = new CompletableFuture<List<StreamBatchesResponse>>();
    StreamObserver<StreamBatchesRequest> calls =
        async
            .withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS)
            .streamBatches(
                new StreamObserver<>() {
                  @Override
                  public void onNext(StreamBatchesResponse answer) {
                    answers.add(answer);
                  }

                  @Override
                  public void onError(Throwable t) {
                    completed.completeExceptionally(t);
                  }

                  @Override
                  public void onCompleted() {
                    completed.complete(answers);
                  }
                });
    // onNext never blocks: with many, send while ClientCallStreamObserver.isReady says so. The
    // server reads no further requests while it is busy, and what is sent then stays in memory.
    requests.forEach(calls::onNext);
    calls.onCompleted();
    return completed.get();
  }

  @Override
  public void close() throws InterruptedException {
    channel.shutdown().awaitTermination(10, TimeUnit.SECONDS);
  }
}
