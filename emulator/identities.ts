/** Which identities there are, and which of their tokens are dead. */
import { randomBytes } from "node:crypto";
import type { ReadToken } from "./access-token";
import { notOwned, RestError } from "./rest-error";
import type { Settings } from "./settings";

/** An access key of a resource. */
export interface AccessKey {
  /** `primary` or `secondary` with a number that grows when it is rotated. */
  readonly id: string;
  /** Base64. */
  readonly secret: string;
}

interface Identity {
  readonly id: string;
  /** Each revocation: its place in the order of everything, when it was asked for, and when it takes effect. */
  readonly revocations: { sequence: number; at: number; from: number }[];
  deletedAt?: number;
}

/** A resource with its keys and identities. */
export interface Resource {
  readonly id: string;
  primary: AccessKey;
  secondary: AccessKey;
  readonly identities: Map<string, Identity>;
}

/** What became of a token. */
export type TokenState =
  | { readonly active: true }
  /** The emulator never made this identity: another one issued the token, or the state is lost. */
  | { readonly active: false; readonly reason: "unknown" }
  | {
      readonly active: false;
      readonly reason: "expired" | "revoked" | "deleted" | "keyRotated";
      /** When it died, in milliseconds since the epoch. */
      readonly at: number;
    };

/** What is kept in a state file. */
export interface SavedState {
  readonly sequence: number;
  readonly resources: readonly {
    readonly id: string;
    readonly primary: AccessKey;
    readonly secondary: AccessKey;
    readonly identities: readonly Identity[];
  }[];
  /** When each key was rotated, by `<resource> <key id>`. */
  readonly rotated: Readonly<Record<string, number>>;
  /** The place of the last reset: what was issued up to it is unknown. Absent in files from before there were resets. */
  readonly forgotten?: number;
}

/** More than can be issued between two writes of the state file: see {@link Identities.load}. */
const sequenceGap = 2 ** 32;

/** All resources. A sequence number orders issuances and revocations, because milliseconds are too coarse. */
export class Identities {
  private readonly resources = new Map<string, Resource>();
  private readonly rotated = new Map<string, number>();
  private sequence = 0;
  private forgotten = 0;
  /** Called after each change that a state file should know. */
  onChange: () => void = () => undefined;

  constructor(private readonly settings: Settings) {
    for (const { id, primaryKey, secondaryKey } of settings.resources) {
      this.resources.set(id, {
        id,
        primary: { id: "primary-1", secret: primaryKey },
        secondary: { id: "secondary-1", secret: secondaryKey },
        identities: new Map(),
      });
    }
  }

  /** Every access key of every resource, with its resource. */
  keys(): (AccessKey & { readonly resource: Resource })[] {
    return [...this.resources.values()].flatMap((resource) =>
      [resource.primary, resource.secondary].map((key) => ({ ...key, resource })),
    );
  }

  /** The resource with this id; the first one when left out. Throws `RangeError` when there is none. */
  resource(id?: string): Resource {
    const found = id === undefined ? [...this.resources.values()][0] : this.resources.get(id);
    if (!found) throw new RangeError(`The emulator has no resource ${id ?? ""}.`);
    return found;
  }

  /** The next place in the order of everything. */
  next(): number {
    return ++this.sequence;
  }

  /** A new identity with an id in ACS's form: the resource, then time-ordered digits in groups like a GUID's. */
  create(resource: Resource): string {
    const time = this.settings.clock().toString(16).padStart(12, "0");
    const user = `0000${time.slice(0, 4)}-${time.slice(4, 8)}-${time.slice(8)}`;
    const rest = randomBytes(8).toString("hex");
    const id = `8:acs:${resource.id}_${user}-${rest.slice(0, 4)}-${rest.slice(4)}`;
    resource.identities.set(id, { id, revocations: [] });
    this.onChange();
    return id;
  }

  /** Throws as ACS answers for an id that the resource has not: 401 for another's, "doesn't exist" for a deleted one. */
  find(resource: Resource, id: string): Identity {
    const identity = resource.identities.get(id);
    if (!identity) {
      if (!id.startsWith(`8:acs:${resource.id}_`)) throw notOwned();
      throw this.gone();
    }
    if (identity.deletedAt !== undefined) throw this.gone();
    return identity;
  }

  revoke(resource: Resource, id: string): void {
    const identity = this.find(resource, id);
    const from = this.settings.clock();
    const at = from + this.settings.revocationDelayMs;
    identity.revocations.push({ sequence: this.next(), at, from });
    this.onChange();
  }

  /** Deletes; again answers as the settings say. */
  delete(resource: Resource, id: string): void {
    const known = resource.identities.get(id);
    if (known?.deletedAt !== undefined && this.settings.repeatedDeleteStatus === 204) return;
    this.find(resource, id).deletedAt = this.settings.clock();
    this.onChange();
  }

  /** Puts a new key in the place of one; tokens issued with the old one are dead. */
  rotateKey(resource: Resource, which: "primary" | "secondary"): AccessKey {
    const old = resource[which];
    const number = Number(old.id.split("-")[1]) + 1;
    const key = { id: `${which}-${number}`, secret: randomBytes(64).toString("base64") };
    resource[which] = key;
    this.rotated.set(`${resource.id} ${old.id}`, this.settings.clock());
    this.onChange();
    return key;
  }

  /** Forgets every identity, so that tokens issued so far are unknown. Keys stay as they are. */
  reset(): void {
    for (const { identities } of this.resources.values()) identities.clear();
    this.forgotten = this.next();
    this.onChange();
  }

  /** What became of a token that this emulator issued. */
  stateOf(token: ReadToken): TokenState {
    const now = this.settings.clock();
    const resource = this.resources.get(token.resourceId);
    const identity = resource?.identities.get(token.identityId);
    const dead = (reason: "expired" | "revoked" | "deleted" | "keyRotated", at: number) =>
      ({ active: false, reason, at }) as const;
    // A Teams user is Entra's, not the resource's: there is nothing to revoke or delete.
    const ofTeams = token.identityId.startsWith("8:orgid:");
    const forgotten = token.origin.sequence <= this.forgotten;
    if (!resource || forgotten || (!identity && !ofTeams)) return { active: false, reason: "unknown" };
    if (token.expiresOn <= now) return dead("expired", token.expiresOn);
    // The first death counts: a deletion comes after every revocation.
    const revocation = identity?.revocations.find(
      ({ sequence, at }) => sequence > token.origin.sequence && at <= now,
    );
    if (revocation) return dead("revoked", revocation.from);
    const deletedAt = identity?.deletedAt;
    if (deletedAt !== undefined && deletedAt + this.settings.revocationDelayMs <= now)
      return dead("deleted", deletedAt);
    const { credential } = token.origin;
    if (
      credential !== "entra" &&
      credential !== resource.primary.id &&
      credential !== resource.secondary.id
    ) {
      return dead("keyRotated", this.rotated.get(`${resource.id} ${credential}`) ?? now);
    }
    return { active: true };
  }

  /** Every identity, with whether it is deleted. */
  list(): { readonly id: string; readonly resourceId: string; readonly deleted: boolean }[] {
    return [...this.resources.values()].flatMap(({ id: resourceId, identities }) =>
      [...identities.values()].map(({ id, deletedAt }) => ({
        id,
        resourceId,
        deleted: deletedAt !== undefined,
      })),
    );
  }

  save(): SavedState {
    return {
      sequence: this.sequence,
      resources: [...this.resources.values()].map((resource) => ({
        ...resource,
        identities: [...resource.identities.values()],
      })),
      rotated: Object.fromEntries(this.rotated),
      forgotten: this.forgotten,
    };
  }

  /**
   * Goes on from a saved state. Tokens issued after the last write are not in it (issuing changes nothing that is kept),
   * so the sequence leaps over them: a revocation from now on must come after all of them.
   */
  load(state: SavedState): void {
    this.sequence = state.sequence + sequenceGap;
    this.forgotten = state.forgotten ?? 0;
    for (const [key, at] of Object.entries(state.rotated)) this.rotated.set(key, at);
    for (const { id, primary, secondary, identities } of state.resources) {
      this.resources.set(id, {
        id,
        primary,
        secondary,
        identities: new Map(identities.map((identity) => [identity.id, identity])),
      });
    }
  }

  private gone(): RestError {
    const { goneStatus, goneCode } = this.settings;
    return new RestError(goneStatus, goneCode, "Provided identity doesn't exist.");
  }
}
