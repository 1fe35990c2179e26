/** Several resources as one provider: what exists goes to its own resource, what is new to one that can make it. */
import { createHash } from "node:crypto";
import { GatewayError, identityNotFound } from "../../errors";
import { resourcePart } from "../identities/identity-id";
import type { TokenScope } from "../tokens/token-scope";
import { CreateAttempts } from "./create-attempts";
import type {
  Account,
  CallOptions,
  CreateOptions,
  IssuedToken,
  ProcessProvider,
  ProviderResource,
  ProviderState,
  TeamsUserToken,
} from "./identity-provider";
import { hadNoEffect, mostHopeful, waitSeconds } from "./create-failure";
import { WeightedRoundRobin } from "./weighted-round-robin";

/** One of several resources. */
export interface RoutedResource {
  /** Its host: what it is called in events. */
  readonly name: string;
  /** Its immutable id, which every one of its identities has in its own. */
  readonly resourceId: string;
  /** Its share of what is new; 0: it serves the identities that it has, and gets no new ones. */
  readonly weight: number;
  readonly provider: ProcessProvider;
}

/** How one of several is asked. */
interface Way {
  /** The longest that it may wait for its turn, in milliseconds. */
  readonly turnMs: number;
  /** Others could be asked after it. */
  readonly hasOthers: boolean;
}

/** The share of the time left that a resource gets for an exchange while there is another to ask. */
const patienceShare = 0.45;
/** The share of the deadline within which a turn must come for its answer to come in time. */
const turnShare = 0.8;
/** The credential of identities of no resource here; no token is cached under it. */
const nobodys = "none";

/**
 * Several resources, each with its own limits, circuits and connections. Which one an identity belongs to stands in its
 * id, so nothing has to be remembered, and all gateways agree.
 *
 * A new identity is asked of one resource after the other for as long as they have certainly made nothing: of each
 * without waiting for a turn first; only if none has room, the one that has it soonest is waited for. Where one may have
 * made something the call fails; whoever wants the identity may call again with the same {@link CreateAttempts}, and that
 * resource is not asked a second time.
 */
export class ResourceRouter implements ProcessProvider {
  readonly deadlineMs: number;
  private readonly byId: ReadonlyMap<string, RoutedResource>;
  /** Those that get what is new. */
  private readonly open: readonly RoutedResource[];
  private readonly cycle: WeightedRoundRobin<RoutedResource>;

  constructor(
    private readonly routed: readonly RoutedResource[],
    random: () => number = Math.random,
  ) {
    this.byId = new Map(routed.map((resource) => [resource.resourceId, resource]));
    this.open = routed.filter(({ weight }) => weight > 0);
    this.cycle = new WeightedRoundRobin(this.open, random());
    this.deadlineMs = Math.min(...routed.map(({ provider }) => provider.deadlineMs));
  }

  get state(): ProviderState {
    const failing = this.routed.filter(({ provider }) => provider.state !== "ok").length;
    return failing === 0 ? "ok" : failing < this.routed.length ? "partly" : "failing";
  }

  get resources(): readonly ProviderResource[] {
    return this.routed.flatMap(({ provider }) => provider.resources);
  }

  credentialOf(identityId: string): string {
    return this.byId.get(resourcePart(identityId))?.provider.credentialOf(identityId) ?? nobodys;
  }

  async preconnect(): Promise<void> {
    await Promise.all(this.routed.map(({ provider }) => provider.preconnect()));
  }

  async createIdentity(
    token: { readonly scopes: readonly TokenScope[]; readonly lifetimeMinutes: number } | undefined,
    { account, onIdentity, attempts = new CreateAttempts() }: CreateOptions,
  ): Promise<{ readonly identityId: string; readonly token?: IssuedToken }> {
    const call = this.begin(attempts, account);
    const order = this.cycle.next().filter(({ name }) => !attempts.over.has(name));
    const options = { account: paid(account), ...(onIdentity ? { onIdentity } : {}) };
    const ask = (resource: RoutedResource, { turnMs, hasOthers }: Way) =>
      this.createAt(resource, attempts, hasOthers, () =>
        resource.provider.createIdentity(token, { ...options, turnMs }),
      );
    // Whoever has called again meanwhile is served there.
    const goOn = (error: unknown) => hadNoEffect(error) && attempts.calls === call;
    return this.firstThatCan(order, attempts.turnEnd, ask, goOn);
  }

  async issueToken(
    identityId: string,
    scopes: readonly TokenScope[],
    lifetimeMinutes: number,
    call: CallOptions,
  ): Promise<IssuedToken> {
    return this.ownerOf(identityId).issueToken(identityId, scopes, lifetimeMinutes, call);
  }

  async revokeTokens(identityId: string, call: CallOptions): Promise<void> {
    await this.ownerOf(identityId).revokeTokens(identityId, call);
  }

  async deleteIdentity(identityId: string, call: CallOptions): Promise<void> {
    await this.ownerOf(identityId).deleteIdentity(identityId, call);
  }

  /** Any resource can exchange any token; a user's goes to the same one while that works, whichever gateway has it. */
  async exchangeTeamsToken(teams: TeamsUserToken, call: CallOptions): Promise<IssuedToken> {
    call.account?.charge();
    const account = paid(call.account);
    const end = performance.now() + this.deadlineMs;
    const ask = ({ provider }: RoutedResource, { turnMs, hasOthers }: Way) => {
      const leftMs = Math.max(1, end - performance.now());
      const deadlineMs = hasOthers ? leftMs * patienceShare : leftMs;
      return provider.exchangeTeamsToken(teams, { ...call, account, turnMs, deadlineMs });
    };
    const goOn = (error: unknown) =>
      error instanceof GatewayError && error.code !== "BAD_USER_INPUT" && !call.signal?.aborted;
    return this.firstThatCan(preferredBy(teams.userObjectId, this.open), end, ask, goOn);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.routed.map(({ provider }) => provider[Symbol.asyncDispose]()));
  }

  private ownerOf(identityId: string): ProcessProvider {
    const resource = this.byId.get(resourcePart(identityId));
    if (!resource) throw identityNotFound("input.identityId");
    return resource.provider;
  }

  /** The number of this call of the create. The caller pays once for the identity, wherever it is asked for. */
  private begin(attempts: CreateAttempts, account: Account | undefined): number {
    if (attempts.calls === 0) {
      account?.charge();
      attempts.turnEnd = performance.now() + this.deadlineMs * turnShare;
    }
    // Who calls again before there was an answer has found the resource too slow.
    const slow = this.open.find(({ name }) => name === attempts.asking);
    if (slow) this.cycle.rest(slow);
    return ++attempts.calls;
  }

  private async createAt<T>(
    resource: RoutedResource,
    attempts: CreateAttempts,
    hasOthers: boolean,
    create: () => Promise<T>,
  ): Promise<T> {
    const { name } = resource;
    // From here on it may make something.
    attempts.over.add(name);
    attempts.asking = name;
    // One that is waited for is not left for another: it would be left with a request that goes out later.
    attempts.more = hasOthers;
    try {
      const made = await create();
      this.cycle.wake(resource);
      return made;
    } catch (error) {
      const hasNoRoom = hadNoEffect(error) && waitSeconds(error) < Infinity;
      if (hasNoRoom) attempts.over.delete(name);
      else this.cycle.rest(resource);
      throw error;
    } finally {
      if (attempts.asking === name) attempts.asking = undefined;
    }
  }

  /**
   * Asks one after the other, and goes on after errors that `goOn` lets pass, until `end`. Who asks to wait is asked
   * again when nobody has room at once.
   */
  private async firstThatCan<T>(
    order: readonly RoutedResource[],
    end: number,
    ask: (resource: RoutedResource, way: Way) => Promise<T>,
    goOn: (error: unknown) => boolean,
  ): Promise<T> {
    const failed = new Map<RoutedResource, unknown>();
    const askAll = async (resources: readonly RoutedResource[], patiently: boolean) => {
      for (const [index, resource] of resources.entries()) {
        if (failed.size > 0 && performance.now() >= end) break;
        const turnMs = patiently ? Math.max(0, end - performance.now()) : 0;
        try {
          const hasOthers = !patiently && (index + 1 < resources.length || someWait(failed));
          return { answer: await ask(resource, { turnMs, hasOthers }) };
        } catch (error) {
          if (!goOn(error)) throw error;
          failed.set(resource, error);
        }
      }
      return undefined;
    };
    const only = order.length === 1;
    const found =
      (await askAll(order, only)) ?? (only ? undefined : await askAll(inOrderOfWait(failed), true));
    if (found) return found.answer;
    throw mostHopeful([...failed.values()]);
  }
}

/** The same caller, who has paid for all that is asked on his account from here on. */
function paid(account: Account | undefined): Account | undefined {
  return account && { charge: () => undefined };
}

function someWait(failed: ReadonlyMap<RoutedResource, unknown>): boolean {
  return [...failed.values()].some((error) => waitSeconds(error) < Infinity);
}

function inOrderOfWait(failed: ReadonlyMap<RoutedResource, unknown>): RoutedResource[] {
  return [...failed]
    .filter(([, error]) => waitSeconds(error) < Infinity)
    .sort(([, a], [, b]) => waitSeconds(a) - waitSeconds(b))
    .map(([resource]) => resource);
}

/**
 * The resources in the order in which they are for `who`: for whole populations by weight, for one always the same, and
 * one that is added or taken away moves nobody between the others (rendezvous hashing, weighted).
 */
function preferredBy(who: string, resources: readonly RoutedResource[]): RoutedResource[] {
  const score = ({ resourceId, weight }: RoutedResource) => {
    const digest = createHash("sha256").update(`${resourceId} ${who}`).digest();
    return -weight / Math.log((digest.readUIntBE(0, 6) + 1) / (2 ** 48 + 2));
  };
  return resources
    .map((resource) => ({ resource, score: score(resource) }))
    .sort((a, b) => b.score - a.score)
    .map(({ resource }) => resource);
}
