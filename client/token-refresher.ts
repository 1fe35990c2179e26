/** Gets ACS access tokens from the gateway for `AzureCommunicationTokenCredential`, and keeps at it. */
import { dataOf, failureOf, send, TokenRefreshError, type GatewayOptions } from "./gateway-request.ts";
import { delayMs, sleep } from "./retry.ts";
import { tell } from "./tell.ts";

/** What an ACS access token may allow, from the gateway's schema. */
export type TokenScope = "CHAT" | "CHAT_JOIN" | "CHAT_JOIN_LIMITED" | "VOIP" | "VOIP_JOIN";

/** A token that the gateway has answered with. */
export interface IssuedToken {
  readonly token: string;
  readonly expiresOn: Date;
  readonly scopes: readonly TokenScope[];
  /** Whether Azure issued it just now or the gateway had it. */
  readonly source: "ISSUED" | "CACHE";
  readonly identityId: string;
}

/** What a refresher needs to know. */
export interface TokenRefresherOptions extends GatewayOptions {
  /** What the token is to allow; ask for the least that does. */
  readonly scopes: readonly TokenScope[];
  /** The token's lifetime in minutes: 60 to 1440, 1440 when left out. */
  readonly expiresInMinutes?: number;
  /** How long somebody who waits for a token is kept waiting by retries, in milliseconds: 30,000 when left out. */
  readonly patienceMs?: number;
  /** The longest that one request may take, in milliseconds: 15,000 when left out. */
  readonly timeoutMs?: number;
  /** Told of each token. */
  readonly onToken?: (issued: IssuedToken) => void;
  /** Told of each failed attempt, and when the next one will be; undefined: there will be none. */
  readonly onFailure?: (error: TokenRefreshError, retry: { readonly inMs: number } | undefined) => void;
}

/** The part of an AbortSignal that `@azure/communication-common` promises. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** A `tokenRefresher` for `AzureCommunicationTokenCredential`. */
export interface TokenRefresher {
  (abortSignal?: AbortSignalLike): Promise<string>;
  /** The last token is no good any more, although it has not expired: the next call has a new one issued. */
  invalidate(): void;
}

const query = `mutation IssueToken($input: IssueTokenInput!) {
  issueToken(input: $input) {
    identity { id }
    accessToken { token expiresOn scopes source }
  }
}`;

interface Data {
  readonly issueToken: {
    readonly identity: { readonly id: string };
    readonly accessToken: Omit<IssuedToken, "expiresOn" | "identityId"> & { readonly expiresOn: string };
  };
}

const accept = "application/graphql-response+json, application/json";
/** The credential asks ten minutes before the end, five minutes before it, and so on, ever faster: from here on it is held back. */
const shortMs = 299_000;
/** The shortest time between two requests for what is short all the same. */
const spacingMs = 30_000;
/** The same for what does not even last for so long. */
const leastSpacingMs = 2_000;

/**
 * Makes a refresher. A token of the gateway has 15 minutes of life or more.
 *
 * As long as the last token is good, nobody waits for the next one: then the promise is never rejected, because the
 * credential's timer has nobody to catch that and would never ask again. It is resolved as soon as there is a token,
 * however long that takes. Without a good token it is rejected with {@link TokenRefreshError}: at once when trying again
 * is no use, else after `patienceMs`. So get the first token before you make the credential:
 *
 * ```ts
 * const tokenRefresher = createTokenRefresher({ endpoint, getAuthorization, scopes: ["CHAT", "VOIP"] });
 * const token = await tokenRefresher();
 * const credential = new AzureCommunicationTokenCredential({ token, tokenRefresher, refreshProactively: true });
 * ```
 */
export function createTokenRefresher(options: TokenRefresherOptions): TokenRefresher {
  const { scopes, expiresInMinutes, identityId, device, signal, onToken, onFailure } = options;
  const { patienceMs = 30_000, timeoutMs = 15_000 } = options;
  let held: IssuedToken | undefined;
  let askedAt = 0;
  let invalidated = 0;
  let forceRefresh = false;
  let running: { readonly token: Promise<string>; waiting: number; cancel(): void } | undefined;

  const isGood = () => held !== undefined && held.expiresOn.getTime() > Date.now();

  const ask = async (ended: AbortSignal): Promise<IssuedToken> => {
    const attempt = new AbortController();
    const end = () => {
      attempt.abort();
    };
    const timer = setTimeout(end, timeoutMs);
    ended.addEventListener("abort", end);
    // Not every fetch, and no getAuthorization at all, can be relied on to heed its signal.
    const late = new Promise<never>((_, reject) => {
      attempt.signal.addEventListener("abort", () => {
        reject(new TokenRefreshError("TIMEOUT", "The gateway has not answered in time.", false));
      });
    });
    try {
      const input = { scopes, expiresInMinutes, identityId, device, forceRefresh };
      const answer = send(options, accept, { query, variables: { input } }, attempt.signal);
      const data = await Promise.race([answer.then((response) => dataOf<Data>(response)), late]);
      const { identity, accessToken } = data.issueToken;
      const issued = { ...accessToken, expiresOn: new Date(accessToken.expiresOn), identityId: identity.id };
      if (typeof issued.token !== "string") throw new TypeError("There is no token in it.");
      if (issued.expiresOn.getTime() > Date.now()) return issued;
      forceRefresh = true;
      throw new TokenRefreshError("TOKEN_EXPIRED", "The token has expired by this device's clock.", false);
    } finally {
      clearTimeout(timer);
      ended.removeEventListener("abort", end);
    }
  };

  const run = async (ended: AbortSignal): Promise<string> => {
    const isAwaited = !isGood();
    const began = Date.now();
    const expiresAt = held?.expiresOn.getTime() ?? 0;
    if (held && expiresAt - began < shortMs) {
      const next = Math.min(askedAt + spacingMs, expiresAt - 2_000);
      await sleep(Math.max(next, askedAt + leastSpacingMs) - began, ended);
    }
    const isOver = () => ended.aborted;
    for (let failures = 1; !isOver(); failures++) {
      const round = invalidated;
      askedAt = Date.now();
      try {
        const issued = await ask(ended);
        // One that was asked for before it may be the very token that is no good.
        if (round !== invalidated) continue;
        held = issued;
        forceRefresh = false;
        tell(() => onToken?.(issued));
        return issued.token;
      } catch (thrown) {
        if (isOver()) break;
        const error = failureOf(thrown);
        const inMs = delayMs(failures, error);
        const isLast = isAwaited && (error.permanent || Date.now() + inMs > began + patienceMs);
        tell(() => onFailure?.(error, isLast ? undefined : { inMs }));
        if (isLast) throw error;
        await sleep(inMs, ended);
      }
    }
    // Whoever waits has been told by his own signal or by `options.signal`.
    return new Promise(() => undefined);
  };

  const start = () => {
    const controller = new AbortController();
    const cancel = () => {
      controller.abort();
      signal?.removeEventListener("abort", cancel);
      if (running === started) running = undefined;
    };
    const token = run(controller.signal);
    const started = { token, waiting: 0, cancel };
    running = started;
    signal?.addEventListener("abort", cancel);
    token.then(cancel, cancel);
    return started;
  };

  const refresh = (abortSignal?: AbortSignalLike): Promise<string> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted || abortSignal?.aborted) {
        reject(aborted());
        return;
      }
      const isAwaited = !isGood();
      const flight = running ?? start();
      flight.waiting++;
      const leave = () => {
        abortSignal?.removeEventListener("abort", left);
        signal?.removeEventListener("abort", ended);
        flight.waiting--;
      };
      const left = () => {
        leave();
        if (flight.waiting === 0) flight.cancel();
        reject(aborted());
      };
      const ended = () => {
        leave();
        if (isAwaited) reject(aborted());
      };
      abortSignal?.addEventListener("abort", left);
      signal?.addEventListener("abort", ended);
      flight.token.finally(leave).then(resolve, reject);
    });

  signal?.addEventListener("abort", () => {
    held = undefined;
  });
  return Object.assign(refresh, {
    invalidate: () => {
      invalidated++;
      forceRefresh = true;
      held = undefined;
    },
  });
}

function aborted(): Error {
  return Object.assign(new Error("No token is wanted any more."), { name: "AbortError" });
}
