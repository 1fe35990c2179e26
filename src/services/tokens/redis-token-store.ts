/** The token store protocol on Redis, for values that are already sealed. */
import { hash, randomBytes } from "node:crypto";
import { reasonOf } from "../redis/reason-of";
import type { RedisBatchedScript, RedisConnection, RedisScript } from "../redis/redis-connection";
import { scriptSpan } from "../redis/redis-span";
import { traced, type Span, type SpanOptions } from "../telemetry/span";
import * as scripts from "./redis-scripts";
import { tokenKeyOfField, type TokenKey } from "./token-key";
import {
  pendingRevocationMs,
  StoreUnavailable,
  type Acquired,
  type AcquireOptions,
  type Committed,
  type Lease,
  type TokenStore,
} from "./token-store";

/** {@link TokenStore} shared by every gateway on one Redis. Each method is one round trip. */
export class RedisTokenStore implements TokenStore<Buffer> {
  private readonly reading: RedisBatchedScript;
  private readonly scripts: Record<Single, RedisScript>;
  /** A hash costs more than to remember it. */
  private readonly keys = new Map<string, string>();

  constructor(redis: RedisConnection) {
    this.reading = redis.batchedScript("acsgwRead", scripts.read);
    this.scripts = {
      list: redis.script("acsgwList", scripts.list),
      // A request that has missed waits for these one after the other.
      acquire: redis.script("acsgwAcquire", scripts.acquire, "atOnce"),
      extend: redis.script("acsgwExtend", scripts.extend),
      commit: redis.script("acsgwCommit", scripts.commit, "atOnce"),
      release: redis.script("acsgwRelease", scripts.release),
      beginRevocation: redis.script("acsgwBeginRevocation", scripts.beginRevocation),
      endRevocation: redis.script("acsgwEndRevocation", scripts.endRevocation),
    };
  }

  read(key: TokenKey, span?: Span): Promise<Buffer | undefined> {
    const redisKey = this.keyOf(key.identityId);
    const answer = span
      ? traced(span, reading, (part) => this.reading(redisKey, key.field, part), reasonOf)
      : this.reading(redisKey, key.field);
    return answer.then(bufferOrNothing, unavailable);
  }

  async list(identityIds: readonly string[]): Promise<{ key: TokenKey; value: Buffer }[][]> {
    // One tick's commands leave in one pipeline, so many identities cost one round trip.
    const answers = await Promise.all(identityIds.map((id) => this.run("list", undefined, id)));
    return answers.map((answer, index) => pairs(identityIds[index] ?? "", answer as Buffer[]));
  }

  async acquire(key: TokenKey, options: AcquireOptions): Promise<Acquired<Buffer>> {
    const id = randomId();
    const answer = (await this.run(
      "acquire",
      options.span,
      key.identityId,
      key.field,
      id,
      options.leaseMs,
      randomId(),
      Math.min(options.minLeftMs ?? 0, Number.MAX_SAFE_INTEGER),
      options.whileRevoking ? 1 : 0,
    )) as [Buffer, Buffer | number];
    const [kind, value] = answer;
    switch (kind.toString()) {
      case "token":
        return { kind: "token", token: value as Buffer };
      case "lease":
        return { kind: "lease", lease: { id, generation: String(value) } };
      case "revoking":
        return { kind: "revoking", retryAfterMs: Number(value) };
      default:
        return { kind: "busy", retryAfterMs: Number(value) };
    }
  }

  async extend(key: TokenKey, lease: Lease, leaseMs: number): Promise<boolean> {
    return (await this.run("extend", undefined, key.identityId, key.field, lease.id, leaseMs)) === 1;
  }

  async commit(key: TokenKey, lease: Lease, value: Buffer, keepMs: number, span?: Span): Promise<Committed> {
    const { identityId, field } = key;
    const args = [field, lease.id, lease.generation];
    try {
      const committed = await this.run("commit", span, identityId, ...args, Math.floor(keepMs), value);
      return String(committed) as Committed;
    } catch (error) {
      if (!(error instanceof StoreUnavailable && error.reason === "OOM")) throw error;
      // A full Redis takes no token, and still knows whether a revocation has overtaken this one.
      return String(await this.run("release", span, identityId, ...args)) as Committed;
    }
  }

  async release(key: TokenKey, lease: Lease, span?: Span): Promise<void> {
    await this.run("release", span, key.identityId, key.field, lease.id, lease.generation);
  }

  async beginRevocation(identityId: string, revocation: string, span?: Span): Promise<void> {
    await this.run("beginRevocation", span, identityId, revocation, pendingRevocationMs, randomId());
  }

  async endRevocation(identityId: string, revocation: string, span?: Span): Promise<void> {
    await this.run("endRevocation", span, identityId, revocation, randomId());
  }

  private keyOf(identityId: string): string {
    const known = this.keys.get(identityId);
    if (known !== undefined) return known;
    if (this.keys.size >= maxKeys) this.keys.clear();
    const key = redisKey(identityId);
    this.keys.set(identityId, key);
    return key;
  }

  private run(
    script: Single,
    span: Span | undefined,
    identityId: string,
    ...args: (string | number | Buffer)[]
  ): Promise<unknown> {
    const call = () => this.scripts[script](this.keyOf(identityId), ...args);
    return traced(span, inTraces[script], call, reasonOf).catch(unavailable);
  }
}

/** The scripts that are called for one identity at a time. */
type Single = Exclude<keyof typeof scripts, "read">;

/** What a request does that waits for its read, which is one of many in a command. */
const reading: SpanOptions = { name: "read token", kind: "internal" };

const inTraces: Readonly<Record<Single, SpanOptions>> = {
  list: scriptSpan("acsgwList"),
  acquire: scriptSpan("acsgwAcquire"),
  extend: scriptSpan("acsgwExtend"),
  commit: scriptSpan("acsgwCommit"),
  release: scriptSpan("acsgwRelease"),
  beginRevocation: scriptSpan("acsgwBeginRevocation"),
  endRevocation: scriptSpan("acsgwEndRevocation"),
};

function unavailable(error: unknown): never {
  throw new StoreUnavailable(reasonOf(error));
}

function bufferOrNothing(value: unknown): Buffer | undefined {
  return value instanceof Buffer ? value : undefined;
}

/** The most keys that are remembered. */
const maxKeys = 10_000;

/** Whose tokens a key holds is nobody's business but ours; the braces keep an identity on one Cluster slot. */
function redisKey(identityId: string): string {
  return `{${hash("sha256", identityId, "base64url").slice(0, 22)}}`;
}

/** 84 bits: no two meet within the minute that a generation or a lease of one identity may be mistaken for another. */
function randomId(): string {
  return randomBytes(12).toString("base64url").slice(0, 14);
}

function pairs(identityId: string, flat: readonly Buffer[]): { key: TokenKey; value: Buffer }[] {
  const found = [];
  for (let index = 0; index + 1 < flat.length; index += 2) {
    const key = tokenKeyOfField(identityId, String(flat[index]));
    const value = flat[index + 1];
    if (key && value) found.push({ key, value });
  }
  return found;
}
