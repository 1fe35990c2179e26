/** Both token stores answer any sequence of calls as a small model of the protocol does. */
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import fc from "fast-check";
import { MemoryTokenStore } from "../../../src/services/tokens/memory-token-store";
import { RedisTokenStore } from "../../../src/services/tokens/redis-token-store";
import { tokenKey, type TokenKey } from "../../../src/services/tokens/token-key";
import { newRevocation, type Lease, type TokenStore } from "../../../src/services/tokens/token-store";
import { connectTo } from "../../support/connect-to";
import { FakeClock } from "../../support/fake-clock";
import { recordEvents } from "../../support/recorded-events";
import { startRedis, type RedisServer } from "../../support/redis-server";

// Long enough that time plays no part: what time does is for the other tests.
const leaseMs = 60_000;
const keepsMs = [600_000, 6_000_000] as const;

/** A call. Keys, leases and revocations are indexes; a lease may be anybody's, of any time, and of another key. */
const call = fc.record({
  view: fc.constantFrom(0, 1),
  identity: fc.constantFrom(0, 1),
  field: fc.constantFrom(0, 1),
  /** Which of the leases given so far, counted from the latest. */
  lease: fc.nat(3),
  /** Whether the lease is used for the key above instead of its own. */
  foreign: fc.boolean(),
  revocation: fc.nat(2),
  minLeftMs: fc.constantFrom(0, 0, 3_000_000, Infinity),
  whileRevoking: fc.boolean(),
  keepMs: fc.constantFrom(...keepsMs),
  name: fc.constantFrom(
    ...(["read", "list", "acquire", "acquire", "acquire", "extend", "commit", "commit", "release"] as const),
    ...(["beginRevocation", "endRevocation"] as const),
  ),
});
type Call = typeof call extends fc.Arbitrary<infer T> ? T : never;

interface Held {
  readonly key: TokenKey;
  readonly lease: Lease;
  /** The model's generation when the lease was given. */
  readonly era: number;
}

/** What the protocol says of one identity. */
class Model {
  private static eras = 0;
  era = ++Model.eras;
  readonly pending = new Set<string>();
  readonly tokens = new Map<string, { value: Buffer; keepMs: number }>();
  readonly holders = new Map<string, Lease>();

  acquire(field: string, minLeftMs: number, whileRevoking: boolean): "revoking" | "busy" | "lease" | Buffer {
    if (this.pending.size > 0 && !whileRevoking) return "revoking";
    const token = this.tokens.get(field);
    if (token && token.keepMs >= minLeftMs) return token.value;
    return this.holders.has(field) ? "busy" : "lease";
  }

  commit(field: string, held: Held, value: Buffer, keepMs: number): string {
    if (held.era !== this.era) return "superseded";
    if (this.holders.get(field) !== held.lease) return "unstored";
    this.holders.delete(field);
    if (this.pending.size > 0) return "unstored";
    this.tokens.set(field, { value, keepMs });
    return "stored";
  }

  purge(): void {
    this.era = ++Model.eras;
    this.tokens.clear();
    this.holders.clear();
  }
}

let serial = 0;

/** Makes the calls on identities that nobody has used before, and compares each answer with the model's. */
async function check(views: readonly TokenStore<Buffer>[], calls: readonly Call[]): Promise<void> {
  const run = ++serial;
  const models = [new Model(), new Model()] as const;
  const ids = [0, 1].map((user) => `8:acs:00000000-0000-4000-8000-000000000001_${run}-${user}`);
  const keyOf = (identity: number, field: number) =>
    tokenKey(ids[identity]!, field === 0 ? ["chat"] : ["chat", "voip"], 60, "cred0001");
  const modelOf = (key: TokenKey) => models[ids.indexOf(key.identityId)]!;
  const revocations = [newRevocation(), newRevocation(), newRevocation()];
  const given: Held[] = [];

  for (const [index, { name, view, ...options }] of calls.entries()) {
    const store = views[view]!;
    const held = given.at(-1 - options.lease);
    const named = keyOf(options.identity, options.field);
    const key = held && !options.foreign && "extend commit release".includes(name) ? held.key : named;
    const model = modelOf(key);
    const value = Buffer.from(`token ${index}`);
    const revocation = revocations[options.revocation]!;
    switch (name) {
      case "read":
        expect(await store.read(key)).toEqual(model.tokens.get(key.field)?.value);
        break;
      case "list": {
        const lists = await store.list(ids);
        const found = lists.map((list) => new Map(list.map((entry) => [entry.key.field, entry.value])));
        expect(found).toEqual(
          models.map(({ tokens }) => new Map([...tokens].map(([field, token]) => [field, token.value]))),
        );
        break;
      }
      case "acquire": {
        const { minLeftMs, whileRevoking } = options;
        const expected = model.acquire(key.field, minLeftMs, whileRevoking);
        const turn = await store.acquire(key, { leaseMs, minLeftMs, whileRevoking });
        if (turn.kind === "token") expect(turn.token).toEqual(expected);
        else expect(turn.kind).toBe(expected);
        if (turn.kind === "busy" || turn.kind === "revoking") {
          expect(turn.retryAfterMs).toBeGreaterThan(0);
          expect(turn.retryAfterMs).toBeLessThanOrEqual(60_000);
        }
        if (turn.kind !== "lease") break;
        model.holders.set(key.field, turn.lease);
        given.push({ key, lease: turn.lease, era: model.era });
        break;
      }
      case "extend":
        if (!held) break;
        expect(await store.extend(key, held.lease, leaseMs)).toBe(
          model.holders.get(key.field) === held.lease,
        );
        break;
      case "commit":
        if (!held) break;
        expect(await store.commit(key, held.lease, value, options.keepMs)).toBe(
          model.commit(key.field, held, value, options.keepMs),
        );
        break;
      case "release":
        if (!held) break;
        await store.release(key, held.lease);
        if (model.holders.get(key.field) === held.lease) model.holders.delete(key.field);
        break;
      case "beginRevocation":
        await store.beginRevocation(key.identityId, revocation);
        model.purge();
        model.pending.add(revocation);
        break;
      case "endRevocation":
        await store.endRevocation(key.identityId, revocation);
        model.purge();
        model.pending.delete(revocation);
    }
  }
}

const sequences = fc.array(call, { maxLength: 60, size: "max" });

it("is what the store in one process does", async () => {
  const store = new MemoryTokenStore<Buffer>(new FakeClock(), 100_000);
  await fc.assert(
    fc.asyncProperty(sequences, (calls) => check([store, store], calls)),
    { numRuns: 1_000 },
  );
});

let redis: RedisServer;
let connections: Awaited<ReturnType<typeof connectTo>>[];
beforeAll(async () => {
  redis = await startRedis();
  const connect = () => connectTo(redis.url, recordEvents(), { commandTimeoutMs: 5_000 });
  connections = [await connect(), await connect()];
});
afterAll(async () => {
  for (const connection of connections) await connection[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
});

it("is what two gateways' views of one Redis do", async () => {
  const views = connections.map((connection) => new RedisTokenStore(connection));
  await fc.assert(
    fc.asyncProperty(sequences, (calls) => check(views, calls)),
    { numRuns: 150 },
  );
});
