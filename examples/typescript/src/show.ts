// Replies and statuses as text.
import { codeName, details } from "./errors.js";
import { BadRequest, ErrorInfo } from "./gen/google/rpc/error_details.js";
import type { BatchStatus, Value } from "./gen/valkeybatch/v1/batch_service.js";

/** A reply of any type as text. A string reply of a command given as args is bytes, whatever it
 * holds; only the program knows that these are text. */
export function show(value: Value | undefined): string {
  const kind = value?.kind;
  if (kind === undefined) return "?"; // a kind that a newer server knows
  switch (kind.$case) {
    case "nullValue":
      return "null";
    case "bytesValue":
      return kind.value.toString("utf8");
    case "verbatimValue":
      return kind.value.data.toString("utf8");
    case "arrayValue":
      return `[${kind.value.elements.map(show).join(", ")}]`;
    case "setValue":
      return `{${kind.value.members.map(show).join(", ")}}`;
    case "mapValue": // a list of entries and no Map: keys may be of any type
      return `{${kind.value.entries.map((e) => `${show(e.key)}: ${show(e.value)}`).join(", ")}}`;
    case "errorValue":
      return kind.value.message;
    default: // text, booleans, numbers; integerValue is a bigint
      return String(kind.value);
  }
}

/** A status's code, the service's reason and the fields that are wrong. */
export function showStatus(status: BatchStatus): string {
  const reasons = details(status, ErrorInfo).map(({ reason }) => `, ${reason}`);
  const fields = details(status, BadRequest).flatMap((d) => d.fieldViolations.map(({ field }) => `: ${field}`));
  return [codeName(status), ...reasons, ...fields].join("");
}
