/** Listens to the gateway's `tokenRevoked`, so that an app knows within a second that its token died. */
import {
  dataOf,
  errorOf,
  failureOf,
  send,
  TokenRefreshError,
  type GatewayOptions,
} from "./gateway-request.ts";
import { delayMs, sleep } from "./retry.ts";
import { tell } from "./tell.ts";

/** An identity's tokens have ended. */
export interface TokenRevocation {
  readonly identityId: string;
  readonly cause: "REVOKED" | "IDENTITY_DELETED";
  readonly revokedAt: Date;
}

/** What to listen for. */
export interface WatchOptions extends GatewayOptions {
  /** Told of each revocation. */
  readonly onRevoked: (revocation: TokenRevocation) => void;
  /** The stream is open: first, and again after each interruption, during which a revocation may have gone unheard. */
  readonly onOpen?: () => void;
  /** Told of each interruption, and when it will be tried again; undefined: it will not. */
  readonly onFailure?: (error: TokenRefreshError, retry: { readonly inMs: number } | undefined) => void;
}

const query = `subscription TokenRevoked($identityId: ID, $device: String) {
  tokenRevoked(identityId: $identityId, device: $device) { identity { id } cause revokedAt }
}`;

type Failures = Parameters<typeof errorOf>[0];

interface Event {
  readonly data?: {
    readonly tokenRevoked: {
      readonly identity: { readonly id: string };
      readonly cause: TokenRevocation["cause"];
      readonly revokedAt: string;
    };
  } | null;
  readonly errors?: readonly NonNullable<Failures>[];
}

/** The gateway sends something every 12 seconds; a connection on which nothing comes for so long is dead. */
const silenceMs = 40_000;

/**
 * Listens until `signal` aborts. Resolves then, and when it is no use to go on: the gateway refuses, or `fetch` cannot
 * stream (React Native). Best effort: see `tokenRevoked` in the gateway's schema.
 */
export async function watchRevocations(options: WatchOptions): Promise<void> {
  const { onRevoked, onOpen, onFailure } = options;
  const signal = options.signal ?? new AbortController().signal;
  let failures = 0;
  const onEvent = ({ data }: Event, isFirst: boolean) => {
    failures = 0;
    if (isFirst) tell(() => onOpen?.());
    if (!data) return;
    const { identity, cause, revokedAt } = data.tokenRevoked;
    const revocation = { identityId: identity.id, cause, revokedAt: new Date(revokedAt) };
    tell(() => {
      onRevoked(revocation);
    });
  };
  const isOver = () => signal.aborted;
  while (!isOver()) {
    // A gateway that stops ends all its streams at once.
    let inMs = 1_000 * Math.random();
    try {
      await listen(options, signal, onEvent);
    } catch (thrown) {
      if (isOver()) return;
      const error = failureOf(thrown);
      inMs = delayMs(++failures, error);
      tell(() => onFailure?.(error, error.permanent ? undefined : { inMs }));
      if (error.permanent) return;
    }
    await sleep(inMs, signal);
  }
}

/** One connection, to its end. What comes first tells no more than that it is open. */
async function listen(
  options: WatchOptions,
  signal: AbortSignal,
  onEvent: (event: Event, isFirst: boolean) => void,
): Promise<void> {
  const connection = new AbortController();
  const end = () => {
    connection.abort();
  };
  let silence = setTimeout(end, silenceMs);
  signal.addEventListener("abort", end);
  try {
    const { identityId, device } = options;
    const operation = { query, variables: { identityId, device } };
    const response = await send(options, "text/event-stream", operation, connection.signal);
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) await dataOf(response);
    if (!response.body) throw new TokenRefreshError("NO_STREAMS", "This fetch cannot stream.", true);
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let text = "";
    for (let isFirst = true; ;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw new TokenRefreshError("NETWORK_ERROR", "The stream broke off.", false, undefined, cause);
      });
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(end, silenceMs);
      const frames = (text + decoder.decode(value, { stream: true })).split("\n\n");
      text = frames.pop() ?? "";
      for (const frame of frames) {
        const data = /^event: next\ndata: (.*)/.exec(frame)?.[1];
        const event = (data ? JSON.parse(data) : {}) as Event;
        if (event.errors) throw errorOf(event.errors[0], response);
        onEvent(event, isFirst);
        isFirst = false;
      }
    }
  } finally {
    clearTimeout(silence);
    signal.removeEventListener("abort", end);
    end();
  }
}
