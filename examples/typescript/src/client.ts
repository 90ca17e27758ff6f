// How to reach the service, and how to send a batch again without running it twice.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { credentials, Metadata, type ClientDuplexStream } from "@grpc/grpc-js";

import { ServiceError } from "./errors.js";
import {
  BatchServiceClient,
  Command,
  ExecuteBatchRequest,
  ExecuteBatchResponse,
  type DeepPartial,
  type StreamBatchesRequest,
  type StreamBatchesResponse,
} from "./gen/valkeybatch/v1/batch_service.js";

// The largest response that this client takes. gRPC's own limit is 4 MiB; a batch whose replies
// are larger has run and fails in the client all the same.
const MAX_REPLY = 64 << 20;

// Safe for all batches: nothing that may have run is sent again.
const SERVICE_CONFIG = readFileSync(new URL("../../service-config.json", import.meta.url), "utf8");

/** A command; Valkey wants all arguments as bytes, numbers as decimal text. */
export function command(...args: (string | number | bigint | Buffer)[]): Command {
  return Command.create({ args: args.map((a) => (Buffer.isBuffer(a) ? a : Buffer.from(String(a)))) });
}

/** The generated client, with promises. */
export class BatchClient {
  readonly #client: BatchServiceClient;

  constructor(address: string) {
    this.#client = new BatchServiceClient(address, credentials.createInsecure(), {
      "grpc.service_config": SERVICE_CONFIG,
      "grpc.max_receive_message_length": MAX_REPLY,
    });
  }

  close(): void {
    this.#client.close();
  }

  /**
   * Executes a batch, and repeats that while the service asks for it. It gives a RetryInfo only
   * when nothing of the batch has run (it was at its load, or the deployment was out of reach),
   * which no status code says by itself: UNAVAILABLE is also what gRPC makes of a lost connection.
   */
  async executeBatch(request: DeepPartial<ExecuteBatchRequest>, timeoutMs: number): Promise<ExecuteBatchResponse> {
    const full = ExecuteBatchRequest.create(request);
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      try {
        return await this.#call(full, deadline);
      } catch (e) {
        const delay = e instanceof ServiceError ? e.retryDelayMs : undefined;
        if (delay === undefined || Date.now() + delay >= deadline) throw e;
        await sleep(delay);
      }
    }
  }

  #call(request: ExecuteBatchRequest, deadline: number): Promise<ExecuteBatchResponse> {
    return new Promise((resolve, reject) => {
      this.#client.executeBatch(request, waiting(), { deadline }, (error, response) => {
        if (error) reject(new ServiceError(error));
        else resolve(response);
      });
    });
  }

  streamBatches(timeoutMs: number): ClientDuplexStream<StreamBatchesRequest, StreamBatchesResponse> {
    return this.#client.streamBatches(waiting(), { deadline: Date.now() + timeoutMs });
  }
}

/** Calls wait for a server that cannot be reached. The service config says so too, but grpc-js
 * takes it from here alone. */
function waiting(): Metadata {
  return new Metadata({ waitForReady: true });
}
