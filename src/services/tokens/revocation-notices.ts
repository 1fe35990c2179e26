/** Tells listeners on any replica that an identity's tokens were revoked: soon, at most once each, and perhaps never. */
import { createHash, randomUUID } from "node:crypto";
import { z } from "zod";
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

const noticePace: NoticePace = { probeMs: 5_000 };

/** Notices that wait for one slow stream; older ones are dropped, since each says the same. */
const maxWaiting = 100;

/** A notice on the channel, in words: who sent it, whose tokens (a digest), why, and when. Anybody may have published it. */
const noticeText = z.tuple([
  z.string().max(64),
  z.string().regex(/^[\w-]{22}$/),
  z.enum(["revocation", "deletion"]),
  // What a Date can hold (ECMAScript, 21.4.1.1).
  z.coerce.number().int().min(0).max(8.64e15),
]);
/** Longer texts are no notices, and are not looked at. */
const maxText = 160;

/**
 * Pub/sub of revocations. Delivery is best effort: a replica that is cut off from Redis hears only of its own, and
 * nothing is repeated. Neither the caching promise nor anything else depends on it.
 *
 * A connection on which nothing arrives looks like one on which nothing is said: whoever has listeners says something
 * to itself now and then, and listens on a new connection when it has not heard it.
 */
export class RevocationNotices implements AsyncDisposable {
  /** By the digest of the identity. */
  private readonly listeners = new Map<string, Set<(notice: RevocationNotice) => void>>();
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
    const digest = digestOf(identityId);
    this.deliver(digest, { cause, revokedAt });
    this.channel?.publish([this.self, digest, cause, revokedAt].join(" ")).catch(this.unavailable);
  }

  /** Notices about the identity from now on, until `signal` aborts or the iteration ends. */
  of(identityId: string, signal: AbortSignal): Notices {
    const waiting: RevocationNotice[] = [];
    const asking: (() => void)[] = [];
    const wake = () => {
      for (const each of asking.splice(0)) each();
    };
    const leave = this.listen(digestOf(identityId), (notice) => {
      if (waiting.length === maxWaiting) waiting.shift();
      waiting.push(notice);
      wake();
    });
    let ended = false;
    const end = () => {
      ended = true;
      leave();
      wake();
    };
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
    const notices: Notices = {
      next: async () => {
        while (!ended && waiting.length === 0) await new Promise<void>((resolve) => asking.push(resolve));
        const value = ended ? undefined : waiting.shift();
        return value ? { done: false, value } : { done: true, value: undefined };
      },
      return: () => {
        end();
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => notices,
    };
    return notices;
  }

  /** Resolves when other replicas' notices arrive here, or soon when they cannot. */
  ready(): Promise<void> {
    // Gateways without listeners need no second connection.
    return (this.listening ??= this.channel ? this.listenTo(this.channel) : Promise.resolve());
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.timer);
    return Promise.resolve();
  }

  private deliver(digest: string, notice: RevocationNotice): void {
    for (const listener of this.listeners.get(digest) ?? []) listener(notice);
  }

  /** Returns what ends the listening. */
  private listen(digest: string, listener: (notice: RevocationNotice) => void): () => void {
    const listeners = this.listeners.get(digest) ?? new Set();
    this.listeners.set(digest, listeners.add(listener));
    return () => {
      const left = listeners.delete(listener) && listeners.size === 0;
      if (left) this.listeners.delete(digest);
    };
  }

  private listenTo(channel: NoticeChannel): Promise<void> {
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
    if (text.length > maxText) return;
    const words = text.split(" ");
    if (words[0] === this.self) {
      this.unheard = false;
      this.heardSince = true;
      this.told = false;
      return;
    }
    const { data } = noticeText.safeParse(words);
    if (data) this.deliver(data[1], { cause: data[2], revokedAt: data[3] });
  };

  private readonly unavailable = (error: unknown): void => {
    this.events.noticesUnavailable(reasonOf(error));
  };
}

/** Identity ids are personal data and do not belong in a channel. */
function digestOf(identityId: string): string {
  return createHash("sha256").update(identityId).digest("base64url").slice(0, 22);
}
