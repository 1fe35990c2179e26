/** The token store protocol on Redis, for values that are already sealed. */
import { hash, randomBytes } from "node:crypto";
import { reasonOf } from "../redis/reason-of";
import type { RedisConnection, RedisScript } from "../redis/redis-connection";
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
  private readonly scripts: Record<keyof typeof scripts, RedisScript>;
  /** A hash costs more than to remember it. */
  private readonly keys = new Map<string, string>();

  constructor(redis: RedisConnection) {
    this.scripts = {
      read: redis.batchedScript("acsgwRead", scripts.read),
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

  read(key: TokenKey): Promise<Buffer | undefined> {
    return this.scripts.read(this.keyOf(key.identityId), key.field).then(bufferOrNothing, unavailable);
  }

  async list(identityIds: readonly string[]): Promise<{ key: TokenKey; value: Buffer }[][]> {
    // One tick's commands leave in one pipeline, so many identities cost one round trip.
    const answers = await Promise.all(identityIds.map((id) => this.run("list", id)));
    return answers.map((answer, index) => pairs(identityIds[index] ?? "", answer as Buffer[]));
  }

  async acquire(key: TokenKey, options: AcquireOptions): Promise<Acquired<Buffer>> {
    const id = randomId();
    const answer = (await this.run(
      "acquire",
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
    return (await this.run("extend", key.identityId, key.field, lease.id, leaseMs)) === 1;
  }

  async commit(key: TokenKey, lease: Lease, value: Buffer, keepMs: number): Promise<Committed> {
    const { identityId, field } = key;
    const args = [field, lease.id, lease.generation];
    try {
      return String(await this.run("commit", identityId, ...args, Math.floor(keepMs), value)) as Committed;
    } catch (error) {
      if (!(error instanceof StoreUnavailable && error.reason === "OOM")) throw error;
      // A full Redis takes no token, and still knows whether a revocation has overtaken this one.
      return String(await this.run("release", identityId, ...args)) as Committed;
    }
  }

  async release(key: TokenKey, lease: Lease): Promise<void> {
    await this.run("release", key.identityId, key.field, lease.id, lease.generation);
  }

  async beginRevocation(identityId: string, revocation: string): Promise<void> {
    await this.run("beginRevocation", identityId, revocation, pendingRevocationMs, randomId());
  }

  async endRevocation(identityId: string, revocation: string): Promise<void> {
    await this.run("endRevocation", identityId, revocation, randomId());
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
    script: keyof typeof scripts,
    identityId: string,
    ...args: (string | number | Buffer)[]
  ): Promise<unknown> {
    return this.scripts[script](this.keyOf(identityId), ...args).catch(unavailable);
  }
}

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
