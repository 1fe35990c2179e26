/** Gateways with something to do, whose minutes pass in seconds, for tests of the status page. */
import {
  CreateIdentityDocument,
  IssueTokenDocument,
  RefreshTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import type { Status } from "../../../src/services/status/status";
import { developmentKey, startWorld, type World, type WorldOptions } from "../../support/world";

/** How much faster than ours the sampler's time passes, and how often it looks in our time. */
export const haste = 15;
const lookMs = 200;

/** A world whose samplers look every 3 seconds of their own time, which are 200 ms of ours. */
export function startBusyWorld(options: WorldOptions = {}): Promise<World> {
  const status = { intervalMs: lookMs, now: () => performance.now() * haste };
  return startWorld({ ...options, parts: { status, ...options.parts } });
}

/** What a gateway tells its operators. */
export async function statusOf(origin: string, query = "", key = developmentKey): Promise<Status> {
  const response = await fetch(`${origin}/status/data${query}`, { headers: { "x-api-key": key } });
  if (!response.ok) throw new Error(`/status/data answered ${response.status}.`);
  return (await response.json()) as Status;
}

/** Makes requests at all gateways until it is disposed of: most are served from the cache, some are wrong. */
export function makeBusy({ gateways }: World): AsyncDisposable {
  let stopped = false;
  const work = async (gateway: World["gateways"][number]) => {
    const { client } = gateway;
    const ids: string[] = [];
    for (let count = 0; !stopped; count++) {
      const step = async () => {
        if (ids.length < 8) ids.push((await client.data(CreateIdentityDocument)).createIdentity.identity.id);
        const identityId = ids[count % ids.length] ?? "";
        await client.send(count % 9 === 0 ? RefreshTokenDocument : IssueTokenDocument, {
          identityId,
          scopes: ["CHAT"],
        });
        if (count % 23 === 0) await client.send(RevokeTokensDocument, { identityId });
        if (count % 17 === 0)
          await client.send(IssueTokenDocument, { identityId: "nobody's", scopes: ["CHAT"] });
        const pause = 15 + 12 * Math.sin(count / 40);
        await new Promise((resolve) => setTimeout(resolve, pause));
      };
      await step().catch(() => undefined);
    }
  };
  const all = Promise.all(gateways.map(work));
  return {
    [Symbol.asyncDispose]: async () => {
      stopped = true;
      await all;
    },
  };
}
