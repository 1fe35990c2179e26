/** Asks the token store, and makes of one that is away an event instead of an error. */
import type { Events } from "../telemetry/events";
import type { Span } from "../telemetry/span";
import type { TokenKey } from "./token-key";
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

  /** What is stored for the key, or why nobody knows: the store is away, or too late to wait for any longer. */
  read(key: TokenKey, span?: Span): Promise<StoreAnswer<CachedToken | undefined> | "late" | "away"> {
    return this.store.read(key, span).then(
      (value) => ({ value }),
      (error: unknown) => (this.missed("read", error).isLate ? "late" : "away"),
    );
  }

  /** The store's answer, or undefined when it is away. */
  ask<T>(
    operation: string,
    question: (store: TokenStore<CachedToken>) => Promise<T>,
  ): Promise<StoreAnswer<T> | undefined> {
    return question(this.store).then(
      (value) => ({ value }),
      (error: unknown) => {
        this.missed(operation, error);
        return undefined;
      },
    );
  }

  private missed(operation: string, error: unknown): StoreUnavailable {
    if (!(error instanceof StoreUnavailable)) throw error;
    this.events.storeUnavailable({ operation, reason: error.reason });
    return error;
  }
}
