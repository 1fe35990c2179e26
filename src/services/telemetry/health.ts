/** How each part is and since when: the gateway is degraded, and still ready, while it works without one. */
import type { Clock } from "../clock";

/** A part's state in a word, and since when it has been in it (RFC 3339). */
export interface PartHealth {
  readonly state: string;
  readonly since: string;
}

/** How able the gateway is to serve. Nothing in it tells a stranger where a part is. */
export interface Readiness {
  /** `degraded` still serves, so it counts as ready. */
  readonly status: "ready" | "degraded" | "unready";
  readonly parts: Readonly<Record<string, PartHealth>>;
}

/** Tells a part's state from what is known of it already: asks nobody. `ok` is the one good state. */
export type ReadState = () => string;

/** How often the parts are looked at, so that it is known since when one is as it is, in milliseconds. */
const lookMs = 1_000;

/**
 * Watches the parts that the gateway can do without. No state of theirs makes it unready: they are the same for all
 * gateways, so a load balancer that took one out of service would take all of them, and what they can still do, which
 * is most of it, would be gone as well.
 */
export class PartsHealth implements AsyncDisposable {
  private readonly known = new Map<string, PartHealth>();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly clock: Clock,
    private readonly parts: Readonly<Record<string, ReadState>>,
  ) {
    this.look();
    this.timer = setInterval(this.look, lookMs).unref();
  }

  /** How the parts are now. */
  readiness(): Readiness {
    this.look();
    const parts = Object.fromEntries(this.known);
    const isDegraded = Object.values(parts).some(({ state }) => state !== "ok");
    return { status: isDegraded ? "degraded" : "ready", parts };
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.timer);
    return Promise.resolve();
  }

  private readonly look = (): void => {
    for (const [name, read] of Object.entries(this.parts)) {
      const state = read();
      if (this.known.get(name)?.state === state) continue;
      this.known.set(name, { state, since: new Date(this.clock.now()).toISOString() });
    }
  };
}
