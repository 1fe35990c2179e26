/** The gateways that share one Redis: each says again and again that it is there, and hears so of the others. */
import { reasonOf } from "../redis/reason-of";
import type { RedisConnection, RedisScript } from "../redis/redis-connection";
import { decodeTick, encodeTick, type Tick } from "./tick";

/** What a gateway says of itself once and for all. */
export interface ReplicaIdentity {
  /** Unlike any other's: a new one at each start. */
  readonly id: string;
  /** The machine's or container's name. */
  readonly host: string;
  readonly version: string;
  /** In milliseconds since the Unix epoch. */
  readonly startedAt: number;
}

/** `draining`: it answers what it has accepted, accepts nothing more, and ends. */
export type ReplicaState = "serving" | "draining";

/** A gateway as the others hear of it. */
export interface Replica extends ReplicaIdentity {
  readonly state: ReplicaState;
  /** Undefined: it has not told any yet, or in the form of another version. */
  readonly tick: Tick | undefined;
  /** How long ago it was heard of, in milliseconds. */
  readonly ageMs: number;
}

/** How the others are known: there is no Redis to hear of them through, it was heard from, or it is away now. */
export type RegisterState = "alone" | "shared" | "away";

/** Who is silent for so long is gone, in milliseconds: three beats of three seconds, and one second more. */
const silentMs = 10_000;
/** Of more gateways than this each reads all the others at every tenth beat only: they are a lot of text. */
const crowd = 50;
const beatsInCrowd = 10;
/** So many beats may be answered too late in a row before the others are taken for unknown. */
const mostLate = 2;

/**
 * `KEYS[1]` is a hash of gateways by id: when each was last heard of in Redis's time, and what it said. What is in no such form is nobody's, and dropped. `ARGV: id, what
 * it says (empty: it goes), 1 or 0 whether the others are asked for, ms of silence after which one is gone` → how many
 * there are, and of each the id, the ms since it was heard of and what it said.
 */
const beat = `#!lua flags=allow-oom
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  return {0}
end
local mine = string.format('%.0f', now) .. ' ' .. ARGV[2]
local set = redis.pcall('HSET', KEYS[1], ARGV[1], mine)
if type(set) == 'table' then
  if not string.find(set.err, '^-?WRONGTYPE') then return set end
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], ARGV[1], mine)
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if ARGV[3] == '0' then return {redis.call('HLEN', KEYS[1])} end
local all = redis.call('HGETALL', KEYS[1])
local answer = {0}
for i = 1, #all, 2 do
  local heard, said = string.match(all[i + 1], '^(%d+) (.*)$')
  local age = heard and now - tonumber(heard)
  if not age or age > tonumber(ARGV[4]) or age < -60000 then
    redis.call('HDEL', KEYS[1], all[i])
  else
    answer[1] = answer[1] + 1
    answer[#answer + 1] = all[i]
    answer[#answer + 1] = math.max(0, age)
    answer[#answer + 1] = said
  end
end
return answer`;

/** A gateway's place among the others. */
export class ReplicaRegister {
  private readonly script: RedisScript | undefined;
  private others: readonly Replica[] = [];
  private known: RegisterState;
  private count = 0;
  private beats = 0;
  private reason: string | undefined;
  /** Beats in a row whose answer was late. */
  private late = 0;
  private current: ReplicaState = "serving";

  /** To be made before the first script of Redis is called. Without Redis this gateway is the only one it knows. */
  constructor(
    readonly self: ReplicaIdentity,
    redis: Pick<RedisConnection, "script"> | undefined,
    private readonly onUnavailable: (reason: string) => void,
  ) {
    this.script = redis?.script("acsgwReplica", beat);
    this.known = redis ? "away" : "alone";
  }

  get state(): ReplicaState {
    return this.current;
  }

  /** What the others are told at the next beat. */
  drain(): void {
    this.current = "draining";
  }

  /** Says that this gateway is there, and hears of the others. Never rejects: without Redis there are no others. */
  async beat(tick: Tick | undefined): Promise<void> {
    if (!this.script) return;
    const { host, version, startedAt, id } = this.self;
    const text = JSON.stringify([host, version, startedAt, this.current, tick ? encodeTick(tick) : null]);
    const asks = this.count <= crowd || this.beats++ % beatsInCrowd === 0;
    try {
      const answer = (await this.script(key, id, text, asks ? 1 : 0, silentMs)) as unknown[];
      this.count = Number(answer[0]);
      if (asks) this.others = replicasIn(answer.slice(1)).filter((replica) => replica.id !== id);
      this.known = "shared";
      this.reason = undefined;
      this.late = 0;
    } catch (error) {
      const reason = reasonOf(error);
      // One answer that is late says nothing of the others.
      if (reason === "TIMEOUT" && ++this.late <= mostLate) return;
      this.others = [];
      this.known = "away";
      if (reason !== this.reason) this.onUnavailable(reason);
      this.reason = reason;
    }
  }

  /** Tells the others at once that this gateway is no more. */
  async leave(): Promise<void> {
    await this.script?.(key, this.self.id, "", 0, silentMs).catch(() => undefined);
  }

  /** The others as of the last beat, by their age; and how they are known. */
  seen(): { readonly state: RegisterState; readonly others: readonly Replica[] } {
    return { state: this.known, others: this.others };
  }
}

const key = "replicas";

function replicasIn(answer: readonly unknown[]): Replica[] {
  const replicas: Replica[] = [];
  for (let index = 0; index + 2 < answer.length; index += 3) {
    const replica = replicaOf(String(answer[index]), Number(answer[index + 1]), String(answer[index + 2]));
    if (replica) replicas.push(replica);
  }
  return replicas.sort((one, other) => one.startedAt - other.startedAt || (one.id < other.id ? -1 : 1));
}

/** The longest name of a host, and more than any version. */
const longestName = 255;
/** The last moment that JavaScript has a date for, in milliseconds since the Unix epoch. */
const lastDate = 8.64e15;

/** What another version says is taken as far as it is understood. Whoever can write to Redis can say anything. */
function replicaOf(id: string, ageMs: number, text: string): Replica | undefined {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(said)) return undefined;
  const [host, version, startedAt, state, tick] = said as unknown[];
  if (!isName(id) || !isName(host) || !isName(version)) return undefined;
  if (typeof startedAt !== "number" || !(Math.abs(startedAt) <= lastDate)) return undefined;
  return {
    id,
    host,
    version,
    startedAt,
    state: state === "draining" ? "draining" : "serving",
    tick: decodeTick(tick),
    ageMs,
  };
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.length <= longestName;
}
