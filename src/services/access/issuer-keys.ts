/** An issuer's public keys: found by discovery, kept, renewed in the background, and fetched anew when one is missing. */
import { reasonOf } from "../redis/reason-of";
import type { Clock } from "../clock";
import type { Events } from "../telemetry/events";
import { isSafeUrl, type OidcIssuer } from "./oidc-issuer";

/** How keys are fetched; times in milliseconds. */
export interface KeyTimings {
  /** Keys that are older are fetched again, in the background. */
  readonly freshMs: number;
  /** Keys that could not be fetched again for so long are not used any more. */
  readonly staleMs: number;
  /** Between two fetches because of a key that is not there, and after one that failed. */
  readonly cooldownMs: number;
  /** The longest that discovery or the keys may take. */
  readonly timeoutMs: number;
}

/** What is used unless told otherwise. */
export const keyTimings: KeyTimings = {
  freshMs: 10 * 60_000,
  staleMs: 24 * 60 * 60_000,
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

  /** Fetches keys that are no longer fresh, in the background. */
  renewIfOld(): void {
    if (this.clock.now() - this.fetchedAt >= this.timings.freshMs) void this.fetchUnlessCooling();
  }

  /** The keys there are. Rejects with {@link KeysUnavailable} when there are none, or none that may still be used. */
  async current(): Promise<Keys> {
    const age = this.clock.now() - this.fetchedAt;
    if (this.keys !== undefined && age < this.timings.staleMs) {
      if (age >= this.timings.freshMs) void this.fetchUnlessCooling();
      return this.keys;
    }
    await this.fetchUnlessCooling();
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
    const jwks = await readJson(this.issuer.jwksUri ?? (await this.discover(signal)), signal);
    if (!Array.isArray(jwks.keys)) throw new Problem("its keys are no JSON Web Key Set");
    const keys = jwks.keys.filter((key) => typeof key === "object" && key !== null) as Jwk[];
    const text = JSON.stringify(keys);
    if (this.keys === undefined || text !== this.text) {
      this.keys = this.make({ keys });
      this.text = text;
      this.generation += 1;
      const { issuer } = this.issuer;
      this.events.issuerKeysChanged({ issuer, keyIds: keys.map(({ kid }) => String(kid)) });
    }
    this.fetchedAt = this.clock.now();
  }

  /** OpenID Connect Discovery 1.0, section 4: the document must name the very issuer that it was asked of. */
  private async discover(signal: AbortSignal): Promise<string> {
    const { issuer } = this.issuer;
    const document = await readJson(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, signal);
    if (document.issuer !== issuer) throw new Problem("its discovery document is another issuer's");
    const { jwks_uri: uri } = document;
    if (typeof uri !== "string" || !isSafeUrl(uri)) throw new Problem("its jwks_uri is no https URL");
    return uri;
  }
}

interface Jwk {
  readonly kid?: unknown;
}

/** An answer of the issuer that is of no use; the message is our own. */
class Problem extends Error {}

function problemOf(error: unknown): string {
  if (error instanceof Problem) return error.message;
  if (error instanceof Error && error.name === "TimeoutError") return "it did not answer in time";
  // fetch hides the socket's error.
  return reasonOf(error instanceof Error ? (error.cause ?? error) : error);
}

async function readJson(url: string, signal: AbortSignal): Promise<Record<string, unknown>> {
  const answer = await fetch(url, { signal, redirect: "error", headers: { accept: "application/json" } });
  if (!answer.ok) throw new Problem(`it answered ${answer.status}`);
  const text = await answer.text();
  if (text.length > maxDocument) throw new Problem("its answer is too long");
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw new Problem("its answer is no JSON object");
}
