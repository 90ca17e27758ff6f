// A tour of valkeybatch from TypeScript: it runs against a server in front of a cluster
// (make cluster) and prints a line for each thing it shows.
import { BatchClient, command } from "./client.js";
import { ServiceError } from "./errors.js";
import { Batch, Outcome } from "./gen/valkeybatch/v1/batch_service.js";
import { show, showStatus } from "./show.js";

// A call without a deadline waits for as long as the server lets it: give each one.
const DEADLINE_MS = 60_000;

/** Commands on keys of any slots in one batch: they go to all nodes at once, and MSET and MGET
 * are split between them. */
async function pipeline(client: BatchClient): Promise<void> {
  const response = await client.executeBatch(
    {
      batch: {
        commands: [
          command("DEL", "ts:count", "ts:user"),
          command("MSET", "ts:a", 1, "ts:b", 2, "ts:c", 3),
          command("MGET", "ts:c", "ts:b", "ts:a", "ts:nothing"),
          // Valkey's integers have 64 bits, JavaScript's numbers 53: this is one too large for
          // a number, so it is a bigint, here and in the reply.
          command("INCRBY", "ts:count", 9007199254740993n),
          command("HSET", "ts:user", "name", "Ada", "born", 1815),
          command("HGETALL", "ts:user"),
        ],
      },
    },
    DEADLINE_MS,
  );
  // OK says that the batch was carried out, not that each command succeeded.
  if (response.failedCount > 0) throw new Error(`${response.failedCount} commands of the pipeline failed`);
  const [, mset, mget, incrby, , hgetall] = response.results; // one per command, in their order
  console.log(`pipeline: ${show(mset)}, ${show(mget)}, ${show(incrby)}, ${show(hgetall)}`);
}

/** MULTI/EXEC: on a cluster all keys must share a slot, as those with the same {hash tag} do. */
async function atomic(client: BatchClient): Promise<void> {
  const response = await client.executeBatch(
    {
      batch: {
        isAtomic: true,
        commands: [
          command("DEL", "ts:{order}:count"),
          command("SET", "ts:{order}:1", "paid"),
          command("INCR", "ts:{order}:count"),
          command("GET", "ts:{order}:1"),
        ],
      },
    },
    DEADLINE_MS,
  );
  console.log(`atomic: ${response.results.slice(1).map(show).join(", ")}`);
}

/** A batch of which one command fails: LPOP wants a list. */
const WRONG_TYPE: Batch = {
  isAtomic: false,
  commands: [command("SET", "ts:text", "hello"), command("LPOP", "ts:text"), command("GET", "ts:text")],
};

/** A command's error among the results: the others succeeded. */
async function errorsInPlace(client: BatchClient): Promise<void> {
  const response = await client.executeBatch({ batch: WRONG_TYPE }, DEADLINE_MS);
  let line = `errors in place: ${response.failedCount} of ${response.results.length} failed`;
  response.results.forEach(({ kind }, i) => {
    // The outcome says what may be sent again: OUTCOME_NOT_EXECUTED anything;
    // OUTCOME_FAILED and OUTCOME_UNKNOWN only what may take effect twice.
    if (kind?.$case === "errorValue") {
      line += `: command ${i} with ${kind.value.code}, ${Outcome[kind.value.outcome]}`;
    }
  });
  console.log(line);
}

/** The same batch with raiseOnError: the call fails with the first error. The other commands ran
 * all the same; their results are dropped. */
async function errorRaised(client: BatchClient): Promise<void> {
  const error = await failure(client.executeBatch({ batch: WRONG_TYPE, raiseOnError: true }, DEADLINE_MS));
  const { reason, metadata: m } = error.info;
  console.log(
    `error raised: ${error.codeName}, ${reason}: command ${m.index} (${m.command}) with ${m.code}, ${m.outcome}`,
  );
}

/** A request that is wrong: nothing of it is sent, and a BadRequest names the field. Here the
 * keys of an atomic batch lie in two slots. */
async function requestRefused(client: BatchClient): Promise<void> {
  const batch = { isAtomic: true, commands: [command("SET", "ts:a", 1), command("SET", "ts:b", 2)] };
  const error = await failure(client.executeBatch({ batch }, DEADLINE_MS));
  error.info; // the service's own, or thrown
  console.log(`request refused: ${showStatus(error.status)}`);
}

/** A pipeline that waits out a failover: commands that a node refuses for a passing condition are
 * retried until the timeout nears. What a lost connection left unanswered is not:
 * retryConnectionError would resend it, and it might run twice. */
async function retryStrategy(client: BatchClient): Promise<void> {
  const response = await client.executeBatch(
    {
      batch: { commands: [command("SET", "ts:kept", "kept"), command("GET", "ts:kept")] },
      // standaloneOptions in front of a standalone server; no options at all fit both.
      options: {
        $case: "clusterOptions",
        value: { timeout: { seconds: 20n }, retryStrategy: { retryServerError: true } },
      },
    },
    DEADLINE_MS,
  );
  console.log(`retry strategy: ${response.results.map(show).join(", ")}`);
}

/** args and bytesValue take any bytes, text or not. */
async function binary(client: BatchClient): Promise<void> {
  const value = Buffer.from([0x00, 0xff, 0x80, 0xc3, 0x28]); // no valid UTF-8
  const response = await client.executeBatch(
    { batch: { commands: [command("SET", "ts:binary", value), command("GET", "ts:binary")] } },
    DEADLINE_MS,
  );
  const kind = response.results[1]?.kind;
  if (kind?.$case === "bytesValue") console.log(`binary: ${kind.value.toString("hex")}`);
}

/** The end of a batch's own timeout, which is to be a little below the call's deadline: then the
 * status comes from the service and says how far the batch got. What was sent and not answered
 * may have taken effect. */
async function deadline(client: BatchClient): Promise<void> {
  const call = client.executeBatch(
    {
      batch: { commands: [command("BLPOP", "ts:nothing", 0)] },
      options: { $case: "clusterOptions", value: { timeout: { nanos: 300_000_000 } } },
    },
    20_000,
  );
  const error = await failure(call);
  const { answered, total } = error.info.metadata;
  console.log(`deadline: ${error.codeName}, ${error.info.reason}: ${answered} of ${total} answered`);
}

/** Many batches on one stream: each is answered as it completes, in any order, with the id that
 * it was given, and fails alone. */
async function stream(client: BatchClient): Promise<void> {
  const batches = [
    { commands: [command("ECHO", "one")] },
    {}, // wrong: a pipeline needs a command
    { commands: [command("BITCOUNT", "ts:a")] },
  ];
  const calls = client.streamBatches(DEADLINE_MS);
  batches.forEach((batch, i) => {
    // With many, wait for "drain" whenever write returns false: the server reads no further
    // requests while it is busy, and what is written then stays in memory.
    calls.write({ id: BigInt(i + 1), request: { batch: Batch.create(batch), raiseOnError: false, options: undefined } });
  });
  calls.end();
  // Should the stream break off (this then throws), batches without an answer may have run.
  const answers = await calls.toArray();
  answers.sort((a, b) => Number(a.id - b.id));
  for (const { id, outcome } of answers) {
    if (outcome?.$case === "error") {
      console.log(`stream: batch ${id} failed: ${showStatus(outcome.value)}`);
    } else {
      console.log(`stream: batch ${id} gave ${outcome?.value.results.map(show).join(", ")}`);
    }
  }
}

/** The error of a call that is to fail. */
async function failure(call: Promise<unknown>): Promise<ServiceError> {
  try {
    await call;
  } catch (e) {
    if (e instanceof ServiceError) return e;
    throw e;
  }
  throw new Error("the call succeeded, which this example does not expect");
}

// One client serves the whole program: all calls share its connection.
const client = new BatchClient(process.env.VALKEYBATCH_ADDRESS ?? "127.0.0.1:7400");
try {
  await pipeline(client);
  await atomic(client);
  await errorsInPlace(client);
  await errorRaised(client);
  await requestRefused(client);
  await retryStrategy(client);
  await binary(client);
  await deadline(client);
  await stream(client);
} finally {
  client.close(); // Node does not exit while it is open
}
