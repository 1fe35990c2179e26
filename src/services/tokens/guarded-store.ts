/** Asks the token store, and makes of one that is away an event instead of an error. */
import type { Events } from "../telemetry/events";
import { StoreUnavailable, type CachedToken, type TokenStore } from "./token-store";

/** What the store answered. */
export interface StoreAnswer<T> {
  readonly value: T;
}

/** A store that is away is never the caller's problem. */
export class GuardedStore {
  constructor(
    private readonly store: TokenStore<CachedToken>,
    private readonly events: Pick<Events, "storeUnavailable">,
  ) {}

  /** The store's answer, or undefined when it is away. */
  ask<T>(
    operation: string,
    question: (store: TokenStore<CachedToken>) => Promise<T>,
  ): Promise<StoreAnswer<T> | undefined> {
    return question(this.store).then(
      (value) => ({ value }),
      (error: unknown) => {
        if (!(error instanceof StoreUnavailable)) throw error;
        this.events.storeUnavailable({ operation, reason: error.reason });
        return undefined;
      },
    );
  }
}
