/** What creates identities in a gateway, without its server: the real SDK, a real Redis, short times. */
import type { Emulator } from "../../../emulator/emulator";
import { AcsIdentityProvider } from "../../../src/services/azure/acs-identity-provider";
import type { IdentityProvider } from "../../../src/services/azure/identity-provider";
import { systemClock } from "../../../src/services/clock";
import type { CreateTimings } from "../../../src/services/identities/create-journal";
import { createRecords, type CreateRecords } from "../../../src/services/identities/create-records";
import { IdentityService } from "../../../src/services/identities/identity-service";
import type { OrphanSweeper, SweepOptions } from "../../../src/services/identities/orphan-sweeper";
import type { RedisConnection } from "../../../src/services/redis/redis-connection";
import type { CreateLost } from "../../../src/services/telemetry/events";
import { MemoryTokenStore } from "../../../src/services/tokens/memory-token-store";
import { TokenService } from "../../../src/services/tokens/token-service";
import { connectTo } from "../../support/connect-to";
import { journalCipher } from "./journal-cipher";
import { recordEvents, type RecordedEvents } from "../../support/recorded-events";

/** How long callers wait, in milliseconds. */
export const deadlineMs = 300;

export const replicaTimings: CreateTimings = { patienceMs: 2_000, untoldMs: 500, keepMs: 60_000 };
export const replicaSweep: Partial<SweepOptions> = {
  intervalMs: 100,
  claimMs: 2_000,
  firstBackoffMs: 50,
  maxBackoffMs: 200,
};

/** What a replica told of identities that nobody was told of. */
export interface Told {
  readonly lost: CreateLost[];
  readonly deleted: string[];
  readonly unavailable: string[];
}

export interface Replica extends AsyncDisposable {
  readonly service: IdentityService;
  readonly records: CreateRecords & { readonly sweeper: OrphanSweeper };
  readonly azure: AcsIdentityProvider;
  readonly told: Told;
  readonly events: RecordedEvents;
}

export interface ReplicaOptions {
  readonly redisUrl?: string;
  /** How long callers wait, in milliseconds; {@link deadlineMs} when left out. */
  readonly deadlineMs?: number;
  /** Do not sweep; a replica that is to be dead, or that only watches. */
  readonly asleep?: boolean;
  readonly timings?: Partial<CreateTimings>;
  readonly sweep?: Partial<SweepOptions>;
  /** Whether somebody keeps an identity whose create never ended. */
  readonly isKept?: (identityId: string) => Promise<boolean>;
  /** A layer around the journal. */
  readonly layer?: (records: CreateRecords) => CreateRecords;
}

export async function startReplica(
  emulator: Pick<Emulator, "url" | "connectionString">,
  options: ReplicaOptions = {},
): Promise<Replica> {
  const told: Told = { lost: [], deleted: [], unavailable: [] };
  const recorded = recordEvents();
  const events: RecordedEvents = {
    ...recorded,
    createLost: (event) => {
      told.lost.push(event);
      recorded.createLost(event);
    },
    orphanDeleted: (event) => {
      told.deleted.push(event.intentId);
      recorded.orphanDeleted(event);
    },
    createJournalUnavailable: (event) => {
      told.unavailable.push(event.operation);
      recorded.createJournalUnavailable(event);
    },
  };
  const accessKey = /accesskey=(.*)$/.exec(emulator.connectionString)?.[1] ?? "";
  const azure = new AcsIdentityProvider(
    {
      endpoint: emulator.url,
      credential: { accessKey },
      deadlineMs: 1_500,
      maxSockets: 100,
    },
    systemClock,
    events,
  );
  // Callers wait for less than Azure is listened to.
  const hurried: IdentityProvider = {
    credentialOf: () => azure.credentialOf(),
    deadlineMs: options.deadlineMs ?? deadlineMs,
    createIdentity: (...args) => azure.createIdentity(...args),
    issueToken: (...args) => azure.issueToken(...args),
    revokeTokens: (...args) => azure.revokeTokens(...args),
    deleteIdentity: (...args) => azure.deleteIdentity(...args),
    exchangeTeamsToken: (...args) => azure.exchangeTeamsToken(...args),
  };
  let redis: RedisConnection | undefined;
  if (options.redisUrl !== undefined) {
    redis = await connectTo(options.redisUrl, events, { keyPrefix: "test:", commandTimeoutMs: 250 });
  }
  const tokens = new TokenService(
    new MemoryTokenStore(systemClock, 1_000),
    azure,
    systemClock,
    events,
    15 * 60_000,
  );
  const sealed = redis && { redis, cipher: journalCipher };
  const pace = {
    timings: { ...replicaTimings, ...options.timings },
    sweep: { ...replicaSweep, ...options.sweep },
  };
  const records = createRecords(sealed, azure, systemClock, events, pace, options.isKept);
  const inUse = options.layer?.(records) ?? records;
  const awake = options.asleep ? { ...inUse, sweeper: { wake: () => undefined } } : inUse;
  if (!options.asleep) records.sweeper.start();
  const service = new IdentityService(hurried, tokens, events, awake);
  return {
    service,
    records,
    azure,
    told,
    events,
    [Symbol.asyncDispose]: async () => {
      await records.sweeper[Symbol.asyncDispose]();
      await tokens[Symbol.asyncDispose]();
      await redis?.[Symbol.asyncDispose]();
      await azure[Symbol.asyncDispose]();
    },
  };
}

/** The ids of the identities that are alive at Azure. */
export function alive(emulator: Emulator): string[] {
  return emulator.identities
    .list()
    .filter(({ deleted }) => !deleted)
    .map(({ id }) => id);
}
