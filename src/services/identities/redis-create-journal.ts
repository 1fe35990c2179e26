/** The journal of creates on Redis, shared by every gateway on it. */
import { reasonOf } from "../redis/reason-of";
import type { RedisConnection, RedisScript } from "../redis/redis-connection";
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

/** {@link CreateJournal} that outlives its process. Each method is one round trip. */
export class RedisCreateJournal implements CreateJournal {
  private readonly scripts: Record<keyof typeof scripts, RedisScript>;

  constructor(
    redis: Pick<RedisConnection, "script">,
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
    await this.run("created", intent.id, identityId, this.timings.untoldMs);
  }

  async answering(intent: Intent): Promise<boolean> {
    return (await this.run("answering", intent.id, intent.receipt, this.timings.patienceMs)) === 1;
  }

  async done(intentId: string): Promise<void> {
    await this.run("done", intentId);
  }

  async abandoned(intentId: string, identityId = ""): Promise<void> {
    const entered = await this.run("abandoned", intentId, identityId, this.most);
    if (entered === null) throw new JournalUnavailable("FULL");
  }

  async takeDue(most: number, claimMs: number): Promise<DueCreate[]> {
    const flat = (await this.run("takeDue", most, claimMs)) as (Buffer | number)[];
    const due: DueCreate[] = [];
    for (let at = 0; at + 3 < flat.length; at += 4) {
      const [intentId, identityId, ageMs, attempts] = flat.slice(at, at + 4).map(String);
      due.push({
        intentId: intentId ?? "",
        identityId: identityId === "" ? undefined : identityId,
        ageMs: Number(ageMs),
        attempts: Number(attempts),
      });
    }
    return due;
  }

  async postpone(intentId: string, delayMs: number): Promise<void> {
    await this.run("postpone", intentId, Math.ceil(delayMs));
  }

  private async run(script: keyof typeof scripts, ...args: (string | number)[]): Promise<unknown> {
    try {
      return await this.scripts[script](key, this.timings.keepMs, ...args);
    } catch (error) {
      throw new JournalUnavailable(reasonOf(error));
    }
  }
}
