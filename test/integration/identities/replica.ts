/** What creates identities in a gateway, without its server: the real SDK, short times. */
import type { Emulator } from "../../../emulator/emulator";
import { AcsIdentityProvider } from "../../../src/services/azure/acs-identity-provider";
import type { IdentityProvider } from "../../../src/services/azure/identity-provider";
import { systemClock } from "../../../src/services/clock";
import { IdentityService } from "../../../src/services/identities/identity-service";
import { Orphans, type OrphanTimings } from "../../../src/services/identities/orphans";
import type { CreateOutcomeUnknown } from "../../../src/services/telemetry/events";
import { MemoryTokenStore } from "../../../src/services/tokens/memory-token-store";
import { TokenService } from "../../../src/services/tokens/token-service";
import { recordEvents, type RecordedEvents } from "../../support/recorded-events";

/** How long callers wait, in milliseconds. */
export const deadlineMs = 300;

export interface Replica extends AsyncDisposable {
  readonly service: IdentityService;
  readonly orphans: Orphans;
  readonly azure: AcsIdentityProvider;
  readonly events: RecordedEvents;
  /** How many identities it deleted that no caller received. */
  readonly deleted: () => number;
  /** The creates of unknown outcome that it reported. */
  readonly unknown: CreateOutcomeUnknown[];
}

export interface ReplicaOptions {
  /** How long callers wait, in milliseconds; {@link deadlineMs} when left out. */
  readonly deadlineMs?: number;
  readonly timings?: Partial<OrphanTimings>;
}

export async function startReplica(
  emulator: Pick<Emulator, "url" | "connectionString">,
  options: ReplicaOptions = {},
): Promise<Replica> {
  let deleted = 0;
  const unknown: CreateOutcomeUnknown[] = [];
  const recorded = recordEvents();
  const events: RecordedEvents = {
    ...recorded,
    createOutcomeUnknown: (event) => {
      unknown.push(event);
      recorded.createOutcomeUnknown(event);
    },
    orphanDeleted: (event) => {
      deleted += 1;
      recorded.orphanDeleted(event);
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
  // Callers wait for less time than the gateway listens to ACS.
  const hurried: IdentityProvider = {
    credentialOf: () => azure.credentialOf(),
    deadlineMs: options.deadlineMs ?? deadlineMs,
    createIdentity: (...args) => azure.createIdentity(...args),
    issueToken: (...args) => azure.issueToken(...args),
    revokeTokens: (...args) => azure.revokeTokens(...args),
    deleteIdentity: (...args) => azure.deleteIdentity(...args),
    exchangeTeamsToken: (...args) => azure.exchangeTeamsToken(...args),
  };
  const tokens = new TokenService(
    new MemoryTokenStore(systemClock, 1_000),
    azure,
    systemClock,
    events,
    15 * 60_000,
  );
  const timings = { firstRetryMs: 50, maxRetryMs: 200, drainMs: 500, ...options.timings };
  const orphans = new Orphans(azure, events, timings);
  return Promise.resolve({
    service: new IdentityService(hurried, tokens, events, orphans),
    orphans,
    azure,
    events,
    deleted: () => deleted,
    unknown,
    [Symbol.asyncDispose]: async () => {
      await orphans[Symbol.asyncDispose]();
      await tokens[Symbol.asyncDispose]();
      await azure[Symbol.asyncDispose]();
    },
  });
}

/** The ids of the identities that are alive at ACS. */
export function alive(emulator: Emulator): string[] {
  return emulator.identities
    .list()
    .filter(({ deleted }) => !deleted)
    .map(({ id }) => id);
}
