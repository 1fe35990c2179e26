/** Renews tokens in the background before they are too old to be served, so that nobody waits for Azure. */
import { createHash } from "node:crypto";
import { boundedCache } from "../bounded-cache";
import type { Clock } from "../clock";
import type { Events } from "../telemetry/events";
import { during, type Span, type SpanOptions } from "../telemetry/span";
import type { Issuance } from "./issuance";
import type { TokenKey } from "./token-key";
import { renewalDue, renewalThresholdMs } from "./token-lifetime";
import type { CachedToken } from "./token-store";

/** The most renewals of this process at once; a token that finds no room is considered again when it is next served. */
const maxAtOnce = 8;
/** How long a token whose renewal failed is left alone, in milliseconds. */
const coolDownMs = 30_000;

/** Considers every token that is served from the store. Across replicas, the lease lets one of them renew it. */
export class RefreshAhead implements AsyncDisposable {
  private readonly running = new Map<string, Promise<void>>();
  private readonly cooling = boundedCache<string, true>(10_000, coolDownMs);
  private readonly closing = new AbortController();

  constructor(
    private readonly issuance: Pick<Issuance, "renew">,
    private readonly clock: Clock,
    private readonly events: Pick<Events, "tokenRenewed">,
    private readonly minRemainingMs: number,
  ) {}

  /** Begins to renew `token` if it is due. Never waits and never throws. `span` is the work that served it. */
  consider(key: TokenKey, token: CachedToken, span?: Span): void {
    const remainingMs = token.expiresOn - this.clock.now();
    // The common case first: it costs a subtraction.
    if (remainingMs >= renewalThresholdMs(key.lifetimeMinutes, this.minRemainingMs)) return;
    if (this.running.has(key.text) || this.running.size >= maxAtOnce || this.cooling.has(key.text)) return;
    if (this.closing.signal.aborted) return;
    const fraction = fractionOf(`${key.text} ${token.expiresOn}`);
    if (!renewalDue(remainingMs, key.lifetimeMinutes, this.minRemainingMs, fraction)) return;
    const renewal = this.renew(key, token, span?.aside(renewing)).finally(() =>
      this.running.delete(key.text),
    );
    this.running.set(key.text, renewal);
  }

  /** Gives up what is running. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.closing.abort();
    await Promise.all(this.running.values());
  }

  private async renew(key: TokenKey, token: CachedToken, span: Span | undefined): Promise<void> {
    const { signal } = this.closing;
    const renew = () => this.issuance.renew(key, token, signal, span);
    try {
      if (await (span ? during(span, renew) : renew())) {
        this.events.tokenRenewed({ outcome: "renewed" });
      }
    } catch {
      if (this.closing.signal.aborted) return;
      // Azure's part has told why; the token that is there is good for a while yet.
      this.cooling.set(key.text, true);
      this.events.tokenRenewed({ outcome: "failed" });
    }
  }
}

/** Nobody waits for it, so it is no part of the request that came to it. */
const renewing: SpanOptions = { name: "renew token", kind: "internal" };

/** From 0 to 1, the same for the same text. */
function fractionOf(text: string): number {
  return createHash("sha256").update(text).digest().readUInt32BE(0) / 2 ** 32;
}
