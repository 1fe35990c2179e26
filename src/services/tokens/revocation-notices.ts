/** Tells listeners on any replica that an identity's tokens were revoked: soon, at most once each, and perhaps never. */
import { createHash, randomUUID } from "node:crypto";
import { EventEmitter, on } from "node:events";
import { reasonOf } from "../redis/reason-of";
import type { Events } from "../telemetry/events";
import type { Cause } from "./revocations";

/** An identity's tokens have ended. */
export interface RevocationNotice {
  readonly cause: Cause;
  /** Milliseconds since the epoch, by the clock of the replica that revoked. */
  readonly revokedAt: number;
}

/** What is told of an identity, as it is told. */
export type Notices = AsyncIterableIterator<RevocationNotice, undefined>;

/** Carries short texts to every replica, the sender among them. May lose any of them. */
export interface NoticeChannel {
  publish(text: string): Promise<void>;
  /**
   * Begins to listen, and goes on by itself when the connection was lost; what was published meanwhile is lost.
   * Resolves once it listens, or soon if it cannot.
   */
  listen(onText: (text: string) => void, onError: (reason: string) => void): Promise<void>;
  /** Listens on a new connection. */
  renew(): void;
}

/** How often a replica with listeners finds out whether it still hears, in milliseconds. */
export interface NoticePace {
  readonly probeMs: number;
}

export const noticePace: NoticePace = { probeMs: 5_000 };

/**
 * Pub/sub of revocations. Delivery is best effort: a replica that is cut off from Redis hears only of its own, and
 * nothing is repeated. Neither the caching promise nor anything else depends on it.
 *
 * A connection on which nothing arrives looks like one on which nothing is said: whoever has listeners says something
 * to itself now and then, and listens on a new connection when it has not heard it.
 */
export class RevocationNotices implements AsyncDisposable {
  private readonly emitter = new EventEmitter().setMaxListeners(0);
  /** Tells this replica's own notices, which it has delivered already, from the others'. */
  private readonly self = randomUUID();
  private listening: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** The last probe was published, and has not been heard yet. */
  private unheard = false;
  /** A probe was heard after the last one was sent: it may overtake the answer to its being published. */
  private heardSince = false;
  /** It was told that nothing is heard, once per outage. */
  private told = false;

  constructor(
    /** Undefined: this gateway is the only one. */
    private readonly channel: NoticeChannel | undefined,
    private readonly events: Pick<Events, "noticesUnavailable">,
    private readonly pace: NoticePace = noticePace,
  ) {}

  /** Tells everybody who listens for the identity. Waits for nobody and never throws. */
  tell(identityId: string, { cause, revokedAt }: RevocationNotice): void {
    const name = nameOf(identityId);
    this.emitter.emit(name, { cause, revokedAt } satisfies RevocationNotice);
    this.channel?.publish([this.self, name, cause, revokedAt].join(" ")).catch(this.unavailable);
  }

  /** What is told of the identity from now on, until `signal` aborts or the iteration is ended. */
  of(identityId: string, signal: AbortSignal): Notices {
    const heard = on(this.emitter, nameOf(identityId), { signal }) as AsyncIterator<
      [RevocationNotice],
      undefined
    >;
    const result: Notices = {
      next: async () => {
        try {
          const next = await heard.next();
          return next.done ? next : { done: false, value: next.value[0] };
        } catch (error) {
          if (signal.aborted) return { done: true, value: undefined };
          throw error;
        }
      },
      return: async () => {
        await heard.return?.();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]: () => result,
    };
    return result;
  }

  /** Resolves when other replicas' notices arrive here, or soon when they cannot. */
  ready(): Promise<void> {
    // Gateways without listeners need no second connection.
    return (this.listening ??= this.channel ? this.listen(this.channel) : Promise.resolve());
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.timer);
    return Promise.resolve();
  }

  private listen(channel: NoticeChannel): Promise<void> {
    this.timer = setInterval(() => {
      this.probe(channel);
    }, this.pace.probeMs);
    this.timer.unref();
    return channel.listen(this.hear, this.deaf);
  }

  private probe(channel: NoticeChannel): void {
    if (this.unheard) {
      this.unheard = false;
      this.deaf("SILENT");
      channel.renew();
      // The next probe is for the new connection, which needs a moment.
      return;
    }
    channel.publish(`${this.self} probe`).then(
      () => {
        this.unheard = !this.heardSince;
      },
      // Redis is away, which is told elsewhere; once it is back there is a new connection.
      () => undefined,
    );
    this.heardSince = false;
  }

  private readonly deaf = (reason: string): void => {
    if (!this.told) this.events.noticesUnavailable(reason);
    this.told = true;
  };

  private readonly hear = (text: string): void => {
    const [from, name = "", cause, at] = text.split(" ");
    if (from === this.self) {
      this.unheard = false;
      this.heardSince = true;
      this.told = false;
      return;
    }
    const revokedAt = Number(at);
    // Whoever may write to Redis may say anything here.
    if (!(cause === "revocation" || cause === "deletion") || !isMoment(revokedAt)) return;
    this.emitter.emit(name, { cause, revokedAt } satisfies RevocationNotice);
  };

  private readonly unavailable = (error: unknown): void => {
    this.events.noticesUnavailable(reasonOf(error));
  };
}

/** Whether a Date can be made of it (ECMAScript, 21.4.1.1). */
function isMoment(ms: number): boolean {
  return Number.isInteger(ms) && Math.abs(ms) <= 8.64e15;
}

/** Ids of identities are personal data, and have no business in a channel; nor may one be the name `error`. */
function nameOf(identityId: string): string {
  return `of:${createHash("sha256").update(identityId).digest("base64url").slice(0, 22)}`;
}
