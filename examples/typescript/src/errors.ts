// What the service says of a call that failed, beyond its code and message.
import { status as Code, type ServiceError as GrpcError } from "@grpc/grpc-js";

import { ErrorInfo, RetryInfo, type MessageFns } from "./gen/google/rpc/error_details.js";
import { BatchStatus } from "./gen/valkeybatch/v1/batch_service.js";

/** The error of a call, with its whole status. */
export class ServiceError extends Error {
  /** A google.rpc.Status, which BatchStatus, the status of a streamed batch, is too. */
  readonly status: BatchStatus;

  constructor(cause: GrpcError) {
    super(cause.message, { cause });
    // The details travel in a trailer of their own. Where there is none, the status is
    // from gRPC itself or a proxy, not from the service.
    const [encoded] = cause.metadata.get("grpc-status-details-bin");
    this.status = Buffer.isBuffer(encoded)
      ? BatchStatus.decode(encoded)
      : BatchStatus.create({ code: cause.code, message: cause.details });
  }

  get codeName(): string {
    return codeName(this.status);
  }

  /** The service's ErrorInfo. Without one the batch may have run, and the error is thrown. */
  get info(): ErrorInfo {
    const info = details(this.status, ErrorInfo).find(({ domain }) => domain === "valkeybatch");
    if (info === undefined) throw this;
    return info;
  }

  /** When to send the batch again; undefined where the service does not ask for that. */
  get retryDelayMs(): number | undefined {
    const [retry] = details(this.status, RetryInfo);
    return retry?.retryDelay && Number(retry.retryDelay.seconds) * 1000 + retry.retryDelay.nanos / 1e6;
  }
}

export function codeName({ code }: BatchStatus): string {
  return Code[code] ?? String(code);
}

/** The details of one kind. An Any names its kind at the end of its type URL. */
export function details<T>(status: BatchStatus, kind: MessageFns<T, string>): T[] {
  return status.details.filter(({ typeUrl }) => typeUrl.endsWith(`/${kind.$type}`)).map(({ value }) => kind.decode(value));
}
