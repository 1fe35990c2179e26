/** An issuer's public keys: found by discovery, kept, refreshed before they are too old, and when one is missing. */
import { z } from "zod";
import { reasonOf } from "../redis/reason-of";
import type { Clock } from "../clock";
import type { Events } from "../telemetry/events";
import { isSafeUrl, type OidcIssuer } from "./oidc-issuer";

/** How keys are fetched; times in milliseconds. */
export interface KeyTimings {
  /** Keys that are older are refreshed in the background. */
  readonly freshMs: number;
  /** Keys that are older are refreshed before they are used. */
  readonly maxAgeMs: number;
  /** While the issuer is away, keys are used up to this age. */
  readonly staleMs: number;
  /** After a refresh has failed, keys beyond their maximum age are used without waiting for the issuer for so long. */
  readonly graceMs: number;
  /** Between two fetches because of a key that is not there, and after one that failed. */
  readonly cooldownMs: number;
  /** The longest that discovery or the keys may take. */
  readonly timeoutMs: number;
}

/** What is used unless told otherwise. */
const keyTimings: KeyTimings = {
  freshMs: 5 * 60_000,
  maxAgeMs: 10 * 60_000,
  staleMs: 24 * 60 * 60_000,
  graceMs: 30_000,
  cooldownMs: 5_000,
  timeoutMs: 5_000,
};

/** How an issuer's keys are. */
export type KeysState = "ok" | "stale" | "unavailable";

/** The issuer could not be asked for its keys. */
export class KeysUnavailable extends Error {
  override readonly name = "KeysUnavailable";
}

/** The most that a discovery document or a set of keys may hold, in characters. */
const maxDocument = 512 * 1024;

const keySet = z.object({ keys: z.array(z.unknown()).max(1_000) });
/** One key (RFC 7517, section 4). Those of another form are left out: the issuer's other keys serve. */
const jwk = z.looseObject({ kty: z.string(), kid: z.string().max(1_024).optional() });
const discovery = z.looseObject({ issuer: z.string(), jwks_uri: z.string() });
/** Key ids in the log: their number, and the length of each. */
const told = { keys: 20, characters: 64 };

/** The keys of one issuer, of whatever kind `Keys` is: the one who verifies makes them from the JSON Web Key Set. */
export class IssuerKeys<Keys> {
  private keys: Keys | undefined;
  private text = "";
  private fetchedAt = -Infinity;
  private triedAt = -Infinity;
  private fetching: Promise<void> | undefined;
  /** The last fetch. */
  private hasFailed = false;
  /** Counts the sets of keys: what was verified with another set is verified again. */
  generation = 0;

  constructor(
    private readonly issuer: Pick<OidcIssuer, "issuer" | "jwksUri">,
    private readonly make: (jwks: { readonly keys: readonly object[] }) => Keys,
    private readonly clock: Clock,
    private readonly events: Pick<Events, "issuerKeysChanged" | "issuerUnavailable">,
    private readonly timings: KeyTimings = keyTimings,
  ) {}

  /** `stale`: those there are are in use, and could not be renewed. `unavailable`: there are none to use. */
  get state(): KeysState {
    if (!this.hasFailed) return "ok";
    const isUsable = this.keys !== undefined && this.clock.now() - this.fetchedAt < this.timings.staleMs;
    return isUsable ? "stale" : "unavailable";
  }

  /** Whether the keys must be refreshed before they are used: then {@link current} does. */
  get mustRefresh(): boolean {
    const age = this.clock.now() - this.fetchedAt;
    if (this.keys === undefined || age >= this.timings.staleMs) return true;
    const failedJustNow = this.hasFailed && this.clock.now() - this.triedAt < this.timings.graceMs;
    return age >= this.timings.maxAgeMs && !failedJustNow;
  }

  /** Refreshes keys that are no longer fresh, in the background. */
  refreshIfOld(): void {
    if (this.clock.now() - this.fetchedAt >= this.timings.freshMs) void this.fetchUnlessCooling();
  }

  /**
   * The keys, refreshed first when they are beyond their maximum age. If that fails they are used for a day at most.
   * Rejects with {@link KeysUnavailable} when there are none that may be used.
   */
  async current(): Promise<Keys> {
    if (this.mustRefresh) await this.fetchUnlessCooling();
    else this.refreshIfOld();
    if (this.keys === undefined || this.clock.now() - this.fetchedAt >= this.timings.staleMs) {
      throw new KeysUnavailable(`The keys of ${this.issuer.issuer} could not be fetched.`);
    }
    return this.keys;
  }

  /** The keys after another look: the issuer may have a new one. Undefined when it was asked just now. */
  async renewed(): Promise<Keys | undefined> {
    const before = this.fetchedAt;
    await this.fetchUnlessCooling();
    return this.fetchedAt === before ? undefined : this.keys;
  }

  /** Never rejects. Whoever comes while the keys are being fetched waits for the same answer. */
  private async fetchUnlessCooling(): Promise<void> {
    if (this.fetching) return this.fetching;
    const now = this.clock.now();
    if (now - this.triedAt < this.timings.cooldownMs) return;
    this.triedAt = now;
    this.fetching = this.fetch()
      .then(() => {
        this.hasFailed = false;
      })
      .catch((error: unknown) => {
        this.hasFailed = true;
        this.events.issuerUnavailable({ issuer: this.issuer.issuer, reason: problemOf(error) });
      })
      .finally(() => {
        this.fetching = undefined;
      });
    return this.fetching;
  }

  private async fetch(): Promise<void> {
    const signal = AbortSignal.timeout(this.timings.timeoutMs);
    const jwks = keySet.safeParse(
      await readJson(this.issuer.jwksUri ?? (await this.discover(signal)), signal),
    );
    if (!jwks.success) throw new Problem("its keys are no JSON Web Key Set");
    const keys = jwks.data.keys.flatMap((key) => jwk.safeParse(key).data ?? []);
    const text = JSON.stringify(keys);
    if (this.keys === undefined || text !== this.text) {
      this.keys = this.make({ keys });
      this.text = text;
      this.generation += 1;
      const { issuer } = this.issuer;
      const keyIds = keys.slice(0, told.keys).map(({ kid = "none" }) => kid.slice(0, told.characters));
      this.events.issuerKeysChanged({ issuer, keyIds });
    }
    this.fetchedAt = this.clock.now();
  }

  /** OpenID Connect Discovery 1.0, section 4: the document must name the very issuer that it was asked of. */
  private async discover(signal: AbortSignal): Promise<string> {
    const { issuer } = this.issuer;
    const document = await readJson(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, signal);
    const { data } = discovery.safeParse(document);
    if (data?.issuer !== issuer) throw new Problem("its discovery document is another issuer's");
    if (!isSafeUrl(data.jwks_uri)) throw new Problem("its jwks_uri is no https URL");
    return data.jwks_uri;
  }
}

/** An answer of the issuer that is of no use; the message is our own. */
class Problem extends Error {}

function problemOf(error: unknown): string {
  if (error instanceof Problem) return error.message;
  if (error instanceof Error && error.name === "TimeoutError") return "it did not answer in time";
  // fetch hides the socket's error.
  return reasonOf(error instanceof Error ? (error.cause ?? error) : error);
}

async function readJson(url: string, signal: AbortSignal): Promise<unknown> {
  const answer = await fetch(url, { signal, redirect: "error", headers: { accept: "application/json" } });
  if (!answer.ok) throw new Problem(`it answered ${answer.status}`);
  const text = await answer.text();
  if (text.length > maxDocument) throw new Problem("its answer is too long");
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem("its answer is no JSON object");
  }
}
