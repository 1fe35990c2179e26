/** Random interleavings of issuing and revoking on two gateways: no request that begins after a revocation gets a dead token. */
import { expect, it } from "@jest/globals";
import {
  CreateIdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import { runSeed as seed, seededRandom } from "../../support/random";
import { startWorld, type World } from "../../support/world";

const requests = 600;
const atOnce = 24;

interface Span {
  readonly identityId: string;
  readonly startedAt: number;
  endedAt: number;
}

it.each([
  ["on one gateway, cached in the process", { gateways: 1 }],
  ["on two gateways, cached in Redis", { gateways: 2, redis: true }],
])(
  `serves no token issued before a revocation that has answered, %s (SEED=${seed})`,
  async (_where, options) => {
    await using world = await startWorld({ ...options, emulator: { seed } });
    const random = seededRandom(seed);
    const ids = await Promise.all(Array.from({ length: 3 }, () => newIdentity(world)));
    // Slow calls overlap with others, lost answers are tried again.
    world.emulator.faults.add({ kind: "latency", latencyMs: 15, probability: 0.5 });
    world.emulator.faults.add({ kind: "resetAfter", probability: 0.05 });
    const revocations: Span[] = [];
    const stale: string[] = [];
    let [served, revoked, fromCache] = [0, 0, 0];

    const one = async () => {
      const identityId = random.pick(ids);
      const { client } = random.pick(world.gateways);
      const span: Span = { identityId, startedAt: performance.now(), endedAt: Infinity };
      if (random() < 0.08) {
        revocations.push(span);
        const { errors } = await client.send(RevokeTokensDocument, { identityId });
        // One that was not confirmed has promised nothing, and may still take effect: it never ends.
        if (!errors) [span.endedAt, revoked] = [performance.now(), revoked + 1];
        return;
      }
      const forceRefresh = random() < 0.1;
      const { data } = await client.send(
        forceRefresh
          ? IssueTokenDocument.toString().replace("input: {", "input: {forceRefresh: true, ")
          : IssueTokenDocument,
        { identityId, scopes: ["CHAT"] },
      );
      const token = (data as { issueToken?: { accessToken: { token: string; source: string } } } | null)
        ?.issueToken?.accessToken;
      if (!token) return;
      served += 1;
      if (token.source === "CACHE") fromCache += 1;
      const overlapping = revocations.some(
        (revocation) => revocation.identityId === identityId && revocation.endedAt > span.startedAt,
      );
      const state = world.emulator.introspect(token.token);
      if (!state.active && !overlapping) stale.push(`${token.source} ${JSON.stringify(state)}`);
    };

    let left = requests;
    const worker = async () => {
      while (left-- > 0) await one();
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    expect(stale).toEqual([]);
    expect(served).toBeGreaterThan(requests / 2);
    expect(revoked).toBeGreaterThan(10);
    expect(fromCache).toBeGreaterThan(10);
  },
);

async function newIdentity(world: World): Promise<string> {
  return (await world.client.data(CreateIdentityDocument)).createIdentity.identity.id;
}
