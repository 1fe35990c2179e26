/** The identities of the app's users: found, made on first use, replaced when they are gone, deleted. */
import { randomUUID } from "node:crypto";
import type { LRUCache } from "lru-cache";
import { GatewayError } from "../../../errors";
import type { CallOptions } from "../../azure/identity-provider";
import { boundedCache } from "../../bounded-cache";
import { sleep } from "../../sleep";
import { jitter, pollMs } from "../../tokens/jitter";
import { NotKept, type CreateCall, type CreatedIdentity, type NewIdentity } from "../identity-service";
import type { IdentityDirectory, Mapping, Owner } from "./identity-directory";

export type { Owner } from "./identity-directory";

/** Makes an identity at Azure. */
export type CreateIdentity = (wanted: NewIdentity, call: CreateCall) => Promise<CreatedIdentity>;

/** How long things last, in milliseconds, and how many are remembered. */
export interface DirectoryTimings {
  /** A claim lasts longer than a create is listened for by whoever waits. */
  readonly claimMs: number;
  /** Whoever finds that another gateway is making his identity waits for so long. */
  readonly patienceMs: number;
  /** A mapping is believed without asking for so long. */
  readonly believeMs: number;
  readonly maxRemembered: number;
  /** A deletion may take this long before the deletion worker repeats it. */
  readonly deletingMs: number;
}

/** What is used unless told otherwise. */
const directoryTimings: DirectoryTimings = {
  claimMs: 30_000,
  patienceMs: 10_000,
  believeMs: 5 * 60_000,
  maxRemembered: 100_000,
  deletingMs: 60_000,
};

/** What is asked for beside the identity. */
export interface IdentityOptions {
  /** The identity is deleted so many milliseconds after its last use; undefined: it stays. */
  readonly ephemeralForMs?: number | undefined;
  /** Most identities that the user may have with device labels; no limit when left out. */
  readonly maxDevices?: number;
}

/** The user has as many identities with device labels as they may. */
export class TooManyDevices extends Error {
  override readonly name = "TooManyDevices";
}

/**
 * What was found is remembered in this process, so that a warm caller costs no round trip. What is remembered may be
 * out of date, for another gateway may have deleted the identity since. That harms nobody: an identity belongs to one
 * user in its whole life, so an old mapping leads its own user to an identity that is no more. Its tokens were taken out
 * of the cache when it was deleted, so Azure is asked, says that there is none, and {@link replace} is called.
 */
export class UserIdentities {
  private readonly remembered: LRUCache<string, string>;
  private readonly owners: LRUCache<string, Owner>;
  /** Identities that are nobody's. They stay so: one that is a user's is theirs before anybody else learns its id. */
  private readonly unowned: LRUCache<string, true>;
  private readonly searches = new Map<string, Promise<string>>();
  private readonly timings: DirectoryTimings;

  constructor(
    private readonly directory: IdentityDirectory,
    private readonly create: CreateIdentity,
    /** Told of each identity that was made for a user. */
    private readonly onMade: (owner: Owner, identityId: string) => void,
    timings: Partial<DirectoryTimings> = {},
  ) {
    this.timings = { ...directoryTimings, ...timings };
    const { maxRemembered: max, believeMs: ttl } = this.timings;
    this.remembered = boundedCache(max, ttl);
    this.owners = boundedCache(max, ttl);
    this.unowned = boundedCache(max, ttl);
  }

  /** Whether the directory does not answer, as far as is known. Who is remembered needs no answer. */
  get isAway(): boolean {
    return this.directory.isAway;
  }

  /** What is remembered of the owner, without asking. */
  known(owner: Owner): string | undefined {
    return this.remembered.get(keyOf(owner));
  }

  /**
   * The owner's identity, made if there is none. Of any number of callers at any number of gateways one makes it.
   * Rejects with `DIRECTORY_UNAVAILABLE`, {@link TooManyDevices}, or as a create does.
   */
  identityOf(owner: Owner, options: IdentityOptions, call: CallOptions): Promise<string> {
    const key = keyOf(owner);
    const known = this.remembered.get(key);
    if (known !== undefined) return Promise.resolve(known);
    const running = this.searches.get(key);
    if (running) return running;
    // A caller that leaves does not end it: the identity is made for the user, not for the request.
    const search = this.search(owner, options, call).finally(() => this.searches.delete(key));
    this.searches.set(key, search);
    return search;
  }

  /** The owner's identity if there is one by now: what is remembered may be one that another gateway has replaced. */
  async find(owner: Owner): Promise<string | undefined> {
    return (await this.directory.find(owner))?.identityId;
  }

  /** A user's identities, his own first. */
  listOf(issuer: string, subject: string): Promise<{ device: string; identityId: string }[]> {
    return this.directory.listOf(issuer, subject);
  }

  /** Whose each identity is, in the order asked for; undefined where it is nobody's. */
  async ownersOf(identityIds: readonly string[]): Promise<(Pick<Owner, "issuer" | "subject"> | undefined)[]> {
    const unknown = identityIds.filter((id) => !this.owners.has(id) && !this.unowned.has(id));
    const found = unknown.length === 0 ? undefined : await this.directory.ownersOf(unknown);
    for (const id of unknown) if (!found?.has(id)) this.unowned.set(id, true);
    return identityIds.map((id) => this.owners.get(id) ?? found?.get(id));
  }

  /** An identity for whoever had one that Azure does not know any more. */
  async replace(owner: Owner, gone: string, options: IdentityOptions, call: CallOptions): Promise<string> {
    this.forget(owner, gone);
    await this.directory.forget(owner, gone);
    return this.identityOf(owner, options, call);
  }

  /**
   * Deletes an identity: first nobody is mapped to it any more, then Azure deletes it. If that fails, or this process
   * dies, the deletion worker does it later.
   */
  async delete(identityId: string, deleteAtAzure: () => Promise<void>): Promise<void> {
    await this.directory.scheduleDeletion(identityId, this.timings.deletingMs);
    const owner = this.owners.get(identityId);
    if (owner) this.forget(owner, identityId);
    await deleteAtAzure();
    // What stays on the list is deleted again, which does no harm.
    await this.directory.deletionDone(identityId).catch(() => undefined);
  }

  /** Has an identity that is nobody's deleted in `ms`. */
  async deleteLater(identityId: string, ms: number): Promise<void> {
    await this.directory.scheduleDeletion(identityId, ms);
  }

  private async search(owner: Owner, options: IdentityOptions, call: CallOptions): Promise<string> {
    for (const end = performance.now() + this.timings.patienceMs; ;) {
      const mapping = await this.directory.find(owner);
      if (mapping && (await this.stillThere(owner, mapping, options)))
        return this.remember(owner, mapping.identityId);
      const claim = randomUUID();
      const claimed = mapping
        ? "taken"
        : await this.directory.claim(owner, claim, this.timings.claimMs, options.maxDevices);
      if (claimed === "full") throw new TooManyDevices();
      if (claimed === "claimed") {
        const made = await this.make(owner, claim, options, call);
        if (made !== undefined) return this.remember(owner, made);
      } else if (performance.now() >= end) {
        throw new GatewayError(
          "UPSTREAM_UNAVAILABLE",
          "Your identity is being made, and that takes long. Try again.",
          { retryAfterSeconds: 1 },
        );
      }
      await sleep(jitter(pollMs.max));
    }
  }

  /** Puts the deletion of an ephemeral identity off, unless that was done just now. */
  private async stillThere(owner: Owner, { identityId, deleteInMs }: Mapping, options: IdentityOptions) {
    const { ephemeralForMs } = options;
    if (deleteInMs === null || ephemeralForMs === undefined) return true;
    const justNowMs = Math.min(this.timings.believeMs, ephemeralForMs / 2);
    if (deleteInMs > ephemeralForMs - justNowMs) return true;
    return this.directory.prolong(owner, identityId, ephemeralForMs);
  }

  /** The identity that was made; undefined when the claim was lost over it. */
  private async make(
    owner: Owner,
    claim: string,
    options: IdentityOptions,
    { account, span }: CallOptions,
  ): Promise<string | undefined> {
    try {
      const keep = (identityId: string) => this.keep(owner, claim, identityId, options);
      const { identityId } = await this.create({}, { keep, account, span });
      this.onMade(owner, identityId);
      return identityId;
    } catch (error) {
      await this.directory.release(owner, claim).catch(() => undefined);
      // The claim went to another gateway, whose identity is found.
      if (error instanceof NotKept) return undefined;
      throw error;
    }
  }

  /** Makes the identity the owner's. May be called again after a failure, whatever came of it. */
  private async keep(
    owner: Owner,
    claim: string,
    identityId: string,
    options: IdentityOptions,
  ): Promise<boolean> {
    const activated = await this.directory
      .activate(owner, claim, identityId, options.ephemeralForMs)
      .catch(() => false);
    // A failure may have been carried out all the same.
    return activated || (await this.directory.find(owner))?.identityId === identityId;
  }

  private remember(owner: Owner, identityId: string): string {
    this.remembered.set(keyOf(owner), identityId);
    this.owners.set(identityId, owner);
    return identityId;
  }

  private forget(owner: Owner, identityId: string): void {
    if (this.known(owner) === identityId) this.remembered.delete(keyOf(owner));
    this.owners.delete(identityId);
  }
}

function keyOf({ issuer, subject, device }: Owner): string {
  return JSON.stringify([issuer, subject, device]);
}
