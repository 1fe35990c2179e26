/** What an emulator can be told, and what it does when told nothing. */
import type { EntraStandIn } from "./entra-stand-in";
import { developmentAccessKey, developmentResourceId, developmentSecondaryKey } from "./development";

/** An ACS resource that the emulator plays. */
export interface ResourceOptions {
  /** Its immutable id, a GUID. */
  readonly id: string;
  /** Base64. */
  readonly primaryKey: string;
  /** Base64. */
  readonly secondaryKey: string;
}

/** How an emulator runs. What ACS does but was never recorded is a setting here, with its default. */
export interface EmulatorOptions {
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** Port for http. Default 0: any free one. */
  readonly port?: number;
  /** Serve https too, with a certificate authority of its own; Entra tokens are accepted there only. Default false. */
  readonly tls?: boolean;
  /** Port for https. Default 0: any free one. */
  readonly tlsPort?: number;
  /** The time in milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
  /** Decides faults with a probability, so that a run can be repeated. Default 1. */
  readonly seed?: number;
  /** Throttle as Azure does. Default true. */
  readonly limits?: boolean;
  /** Multiplies Azure's limits. Default 1. */
  readonly limitScale?: number;
  /** The window that the limits are for, in milliseconds. Default 30 seconds, as Azure's. */
  readonly limitWindowMs?: number;
  /** Send Retry-After with 429. Azure does not say whether Identity does. Default true. */
  readonly retryAfter?: boolean;
  /** Keep identities and revocations in this file. Default: in memory only. */
  readonly stateFile?: string;
  /** Whose tokens of applications and Teams users it believes, as several resources believe one Entra. Default: its own. */
  readonly entra?: EntraStandIn;
  /** Default: one, the published development resource. The first signs what no request names. */
  readonly resources?: readonly ResourceOptions[];
  /** How far a request's date may be off, in milliseconds. ACS's own limit is not documented. Default 15 minutes. */
  readonly clockSkewMs?: number;
  /** Status for a deleted identity; never recorded. Default 404. */
  readonly goneStatus?: number;
  /** Code for a deleted identity; never recorded. Default `IdentityNotFound`. */
  readonly goneCode?: string;
  /** Status of deleting an identity again; never recorded. Default 204; anything else answers as for a deleted identity. */
  readonly repeatedDeleteStatus?: number;
  /** Refuse scopes that ACS does not know; never recorded. Default true. */
  readonly refuseUnknownScopes?: boolean;
  /** Refuse an empty `createTokenWithScopes` as issuing does; never recorded. Default false: no token is made. */
  readonly refuseEmptyCreateScopes?: boolean;
  /** Refuse fields and scopes that the request's api-version did not have yet. Default true. */
  readonly strictVersions?: boolean;
  /** How long revoked tokens stay good, in milliseconds: ACS takes up to 15 minutes. Default 0. */
  readonly revocationDelayMs?: number;
  /** Time that every operation takes, in milliseconds, or `recorded`: each as long as Azure did. Default 0. */
  readonly latencyMs?: number | "recorded";
  /** How far the emulator's clock is ahead of its clients', in milliseconds; behind when negative. Default 0. */
  readonly clockOffsetMs?: number;
}

/** {@link EmulatorOptions} with the defaults filled in. */
export type Settings = Required<Omit<EmulatorOptions, "stateFile" | "entra">> &
  Pick<EmulatorOptions, "stateFile" | "entra">;

/** Fills in the defaults, and sets the clock off: by what `clockOffsetMs` is whenever it is asked. */
export function settingsFrom(options: EmulatorOptions): Settings {
  const { clock = Date.now } = options;
  const settings: Settings = {
    host: "127.0.0.1",
    port: 0,
    tls: false,
    tlsPort: 0,
    seed: 1,
    limits: true,
    limitScale: 1,
    limitWindowMs: 30_000,
    retryAfter: true,
    resources: [
      { id: developmentResourceId, primaryKey: developmentAccessKey, secondaryKey: developmentSecondaryKey },
    ],
    clockSkewMs: 15 * 60_000,
    goneStatus: 404,
    goneCode: "IdentityNotFound",
    repeatedDeleteStatus: 204,
    refuseUnknownScopes: true,
    refuseEmptyCreateScopes: false,
    strictVersions: true,
    revocationDelayMs: 0,
    latencyMs: 0,
    clockOffsetMs: 0,
    ...options,
    clock: () => clock() + settings.clockOffsetMs,
  };
  return settings;
}
