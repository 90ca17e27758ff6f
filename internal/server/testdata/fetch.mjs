// Calls the service by fetch alone, as a page would: node fetch.mjs URL
const execute = (body) =>
  fetch(`${process.argv[2]}/valkeybatch.v1.BatchService/ExecuteBatch`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Origin: "https://app.example" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });

const good = await execute({ batch: { commands: [{ textArgs: ["SET", "k", "é"] }, { textArgs: ["GET", "k"] }] } });
console.log(good.status, JSON.stringify(await good.json()));
const bad = await execute({ batch: { commands: [{ textArgs: ["MULTI"] }] } });
const error = await bad.json();
console.log(bad.status, error.code, error.details[0].debug.reason);
