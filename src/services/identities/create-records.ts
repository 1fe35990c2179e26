/** What creates are entered in and who cleans up after them, as one part for the composition root. */
import type { IdentityProvider } from "../azure/identity-provider";
import type { Clock } from "../clock";
import type { RedisConnection } from "../redis/redis-connection";
import type { Events } from "../telemetry/events";
import type { TokenCipher } from "../tokens/token-cipher";
import { createTimings, type CreateTimings } from "./create-journal";
import { FallbackCreateJournal } from "./fallback-create-journal";
import { MemoryCreateJournal } from "./memory-create-journal";
import { OrphanSweeper, type SweepOptions } from "./orphan-sweeper";
import { RedisCreateJournal } from "./redis-create-journal";

/** What creates and their sweeper tell. */
export type CreateEvents = Pick<
  Events,
  "orphanDeleted" | "createLost" | "createJournalUnavailable" | "internalError"
>;

/** The journal of creates and its sweeper. */
export interface CreateRecords {
  readonly journal: FallbackCreateJournal;
  readonly sweeper: Pick<OrphanSweeper, "wake">;
}

/** The journal and sweeper of one gateway. Close it after the server, and before Redis and Azure. */
export function createRecords(
  store:
    | { readonly redis: Pick<RedisConnection, "script">; readonly cipher: Pick<TokenCipher, "seal" | "open"> }
    | undefined,
  azure: Pick<IdentityProvider, "deleteIdentity">,
  clock: Clock,
  events: CreateEvents,
  options: { readonly sweep?: Partial<SweepOptions>; readonly timings?: Partial<CreateTimings> } = {},
  isKept?: (identityId: string) => Promise<boolean>,
): CreateRecords & { readonly sweeper: OrphanSweeper } {
  const timings = { ...createTimings, ...options.timings };
  const shared = store && new RedisCreateJournal(store.redis, store.cipher, timings);
  const journal = new FallbackCreateJournal(new MemoryCreateJournal(clock, timings), shared, events);
  return { journal, sweeper: new OrphanSweeper(journal, azure, events, options.sweep, isKept) };
}
