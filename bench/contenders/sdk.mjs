/** The SDK called directly, by the process that wants the tokens: no server at all. */
import { createRequire } from "node:module";
import { takeOrders } from "../lib/orders.mjs";
import { now } from "../load/clock.mjs";
import { startMeter, summary } from "../load/meter.mjs";

const require = createRequire(import.meta.url);
const { CommunicationIdentityClient } = require("@azure/communication-identity");

const scopes = ["chat", "voip"];
const client = new CommunicationIdentityClient(process.env.ACS_CONNECTION_STRING);

takeOrders({
  /** Calls of so many at a time, as fast as answers come. */
  saturate: async ({ identityIds, concurrency, seconds, warmSeconds, watched }) => {
    const samples = [];
    let [meter, next] = [undefined, 0];
    const warmUntil = now() + warmSeconds * 1e3;
    const until = warmUntil + seconds * 1e3;
    const worker = async () => {
      while (now() < until) {
        const startedAt = now();
        await client.getToken({ communicationUserId: identityIds[next++ % identityIds.length] }, scopes);
        if (meter) samples.push(now() - startedAt);
        else if (now() >= warmUntil) meter = startMeter(watched);
      }
      meter.result ??= meter.stop();
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    return summary(Float64Array.from(samples), samples.length, meter.result);
  },
  /** A call for each, so many at a time. */
  warm: async ({ identityIds, concurrency }) => {
    const left = [...identityIds];
    const worker = async () => {
      for (let id = left.pop(); id; id = left.pop())
        await client.getToken({ communicationUserId: id }, scopes);
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
  },
  /** One call. @returns its milliseconds */
  once: async ({ identityId }) => {
    const startedAt = now();
    await client.getToken({ communicationUserId: identityId }, scopes);
    return now() - startedAt;
  },
});
