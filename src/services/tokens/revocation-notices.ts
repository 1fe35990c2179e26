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
}

/**
 * Pub/sub of revocations. Delivery is best effort: a replica that is cut off from Redis hears only of its own, and
 * nothing is repeated. Neither the caching promise nor anything else depends on it.
 */
export class RevocationNotices {
  private readonly emitter = new EventEmitter().setMaxListeners(0);
  /** Tells this replica's own notices, which it has delivered already, from the others'. */
  private readonly self = randomUUID();
  private listening: Promise<void> | undefined;

  constructor(
    /** Undefined: this gateway is the only one. */
    private readonly channel: NoticeChannel | undefined,
    private readonly events: Pick<Events, "noticesUnavailable">,
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
    return (this.listening ??=
      this.channel?.listen(this.hear, (reason) => {
        this.events.noticesUnavailable(reason);
      }) ?? Promise.resolve());
  }

  private readonly hear = (text: string): void => {
    const [from, name = "", cause, revokedAt] = text.split(" ");
    if (from === this.self || !(cause === "revocation" || cause === "deletion")) return;
    this.emitter.emit(name, { cause, revokedAt: Number(revokedAt) } satisfies RevocationNotice);
  };

  private readonly unavailable = (error: unknown): void => {
    this.events.noticesUnavailable(reasonOf(error));
  };
}

/** Ids of identities are personal data, and have no business in a channel; nor may one be the name `error`. */
function nameOf(identityId: string): string {
  return `of:${createHash("sha256").update(identityId).digest("base64url").slice(0, 22)}`;
}
