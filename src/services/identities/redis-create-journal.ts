/** The journal of creates on Redis, shared by every gateway on it. */
import { reasonOf } from "../redis/reason-of";
import type { RedisConnection, RedisScript } from "../redis/redis-connection";
import type { TokenCipher } from "../tokens/token-cipher";
import {
  createTimings,
  JournalUnavailable,
  maxEntries,
  type CreateJournal,
  type DueCreate,
  type Intent,
} from "./create-journal";
import * as scripts from "./redis-create-scripts";

/** One key, one Cluster slot. */
const key = "{creates}";

/**
 * {@link CreateJournal} that outlives its process. Each method is one round trip. Ids are sealed: one that does not
 * open, because its key was removed meanwhile, is nobody's to delete.
 */
export class RedisCreateJournal implements CreateJournal {
  private readonly scripts: Record<keyof typeof scripts, RedisScript>;

  constructor(
    redis: Pick<RedisConnection, "script">,
    private readonly cipher: Pick<TokenCipher, "seal" | "open">,
    private readonly timings = createTimings,
    private readonly most = maxEntries,
  ) {
    this.scripts = {
      begin: redis.script("acsgwCreateBegin", scripts.begin),
      created: redis.script("acsgwCreateCreated", scripts.created),
      answering: redis.script("acsgwCreateAnswering", scripts.answering),
      done: redis.script("acsgwCreateDone", scripts.done),
      abandoned: redis.script("acsgwCreateAbandoned", scripts.abandoned),
      takeDue: redis.script("acsgwCreateTakeDue", scripts.takeDue),
      postpone: redis.script("acsgwCreatePostpone", scripts.postpone),
    };
  }

  async begin(intentId: string): Promise<Intent> {
    const receipt = await this.run("begin", intentId, this.timings.patienceMs, this.most);
    if (!(receipt instanceof Buffer)) throw new JournalUnavailable("FULL");
    return { id: intentId, receipt: receipt.toString() };
  }

  async created(intent: Intent, identityId: string): Promise<void> {
    await this.run("created", intent.id, this.seal(intent.id, identityId), this.timings.untoldMs);
  }

  async answering(intent: Intent): Promise<boolean> {
    return (await this.run("answering", intent.id, intent.receipt, this.timings.patienceMs)) === 1;
  }

  async done(intentId: string): Promise<void> {
    await this.run("done", intentId);
  }

  async abandoned(intentId: string, identityId?: string): Promise<void> {
    const sealed = identityId === undefined ? "" : this.seal(intentId, identityId);
    const entered = await this.run("abandoned", intentId, sealed, this.most);
    if (entered === null) throw new JournalUnavailable("FULL");
  }

  async takeDue(most: number, claimMs: number): Promise<DueCreate[]> {
    const flat = (await this.run("takeDue", most, claimMs)) as (Buffer | number)[];
    const due: DueCreate[] = [];
    for (let at = 0; at + 3 < flat.length; at += 4) {
      const [intentId = "", sealed = "", ageMs, attempts] = flat.slice(at, at + 4).map(String);
      due.push({
        intentId,
        identityId: this.open(intentId, sealed),
        ageMs: Number(ageMs),
        attempts: Number(attempts),
      });
    }
    return due;
  }

  async postpone(intentId: string, delayMs: number): Promise<void> {
    await this.run("postpone", intentId, Math.ceil(delayMs));
  }

  private seal(intentId: string, identityId: string): string {
    return this.cipher.seal(Buffer.from(identityId), sealedAs(intentId)).toString("base64url");
  }

  private open(intentId: string, sealed: string): string | undefined {
    return this.cipher.open(Buffer.from(sealed, "base64url"), sealedAs(intentId))?.toString();
  }

  private async run(script: keyof typeof scripts, ...args: (string | number)[]): Promise<unknown> {
    try {
      return await this.scripts[script](key, this.timings.keepMs, ...args);
    } catch (error) {
      throw new JournalUnavailable(reasonOf(error));
    }
  }
}

/** An id opens in the entry that it was sealed for, and in no other. */
function sealedAs(intentId: string): string {
  return `create ${intentId}`;
}
