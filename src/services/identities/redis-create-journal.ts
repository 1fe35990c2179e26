/** The journal of creates on Redis, shared by every gateway on it. */
import { reasonOf } from "../redis/reason-of";
import type { RedisConnection, RedisScript } from "../redis/redis-connection";
import { scriptSpan } from "../redis/redis-span";
import { traced, type Span, type SpanOptions } from "../telemetry/span";
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

  async begin(intentId: string, span?: Span): Promise<Intent> {
    const { patienceMs } = this.timings;
    const receipt = await this.within(span, "begin", intentId, patienceMs, this.most);
    if (!(receipt instanceof Buffer)) throw new JournalUnavailable("FULL");
    return { id: intentId, receipt: receipt.toString() };
  }

  async created(intent: Intent, identityId: string, span?: Span): Promise<void> {
    const sealed = this.seal(intent.id, identityId);
    await this.within(span, "created", intent.id, sealed, this.timings.untoldMs);
  }

  async answering(intent: Intent, span?: Span): Promise<boolean> {
    const { id, receipt } = intent;
    return (await this.within(span, "answering", id, receipt, this.timings.patienceMs)) === 1;
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

  private within(
    span: Span | undefined,
    script: keyof typeof inTraces,
    ...args: (string | number)[]
  ): Promise<unknown> {
    return traced(span, inTraces[script], () => this.run(script, ...args));
  }

  private async run(script: keyof typeof scripts, ...args: (string | number)[]): Promise<unknown> {
    try {
      return await this.scripts[script](key, this.timings.keepMs, ...args);
    } catch (error) {
      throw new JournalUnavailable(reasonOf(error));
    }
  }
}

/** What a caller waits for. */
const inTraces = {
  begin: scriptSpan("acsgwCreateBegin"),
  created: scriptSpan("acsgwCreateCreated"),
  answering: scriptSpan("acsgwCreateAnswering"),
} satisfies Partial<Record<keyof typeof scripts, SpanOptions>>;

/** An id opens in the entry that it was sealed for, and in no other. */
function sealedAs(intentId: string): string {
  return `create ${intentId}`;
}
