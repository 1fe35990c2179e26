/** Redis as the protocol sees it: one identity's hash, the scripts, and primaries that fail in every way they can. */
import type { Parts } from "./parts";
import type { Random } from "../../support/random";

/** A token, and all that the judge knows about it. Times are ticks; orders are points in the order of events. */
export interface Token {
  readonly name: string;
  readonly expires: number;
  readonly issued: number;
  killed: number;
  /** When a revocation that killed it was answered OK. */
  revoked: number;
  /** When a gateway answered that its revocation is unconfirmed, per gateway. */
  readonly unconfirmed: Map<number, number>;
}

interface Hash {
  readonly incarnation: number;
  readonly generation: number;
  readonly token?: Token | undefined;
  readonly lease?: { readonly id: number; readonly until: number } | undefined;
  readonly pending: ReadonlyMap<string, number>;
}

/** The right to issue. */
export interface Lease {
  readonly id: number;
  readonly generation: number;
}

/** What `acquire` answers. */
export type Acquired =
  | { readonly kind: "token"; readonly token: Token }
  | { readonly kind: "lease"; readonly lease: Lease }
  | { readonly kind: "busy" | "revoking" };

/** Lengths in ticks; a tick is about 250 ms. Their order is what matters, and is that of the real ones. */
export const ticks = {
  lease: 4,
  patience: 6,
  deadline: 14,
  pending: 40,
  life: 90,
  renewAfter: 8,
  command: 4,
  beat: 2,
  beatTimeout: 3,
  trust: 4,
  /** From a primary's silence to its successor. */
  promotion: 10,
  /** From a primary's isolation to its refusing service. */
  maxLag: 6,
  /** How long a primary that was replaced in its sleep answers from the past. */
  unaware: 2,
} as const;

/** One server. */
export class Node {
  hash: Hash | undefined;
  dead = false;
  frozenUntil: number | undefined;
  wokeAt: number | undefined;
  isolatedAt: number | undefined;
  /** The gateways on its side of a partition. */
  reach: ReadonlySet<number> | undefined;
  private readonly past: (Hash | undefined)[] = [];

  constructor(
    readonly incarnation: number,
    hash: Hash | undefined,
  ) {
    this.hash = hash;
  }

  write(hash: Hash | undefined): void {
    this.past.push(this.hash);
    if (this.past.length > 6) this.past.shift();
    this.hash = hash;
  }

  /** What a replica or a snapshot has of it: everything, or all but the last writes. */
  copy(random: Random): Hash | undefined {
    return random() < 0.3 || this.past.length === 0
      ? this.hash
      : random.pick([...this.past.keys()].map((i) => [this.past[i]]))[0];
  }
}

/** The scripts, each atomic on one node, and who is primary. */
export class RedisModel {
  now = 0;
  primary = new Node(1, undefined);
  /** The one that was replaced and does not know it. */
  old: Node | undefined;
  private promoteAt: number | undefined;
  private incarnations = 1;
  private names = 0;

  constructor(
    private readonly parts: Parts,
    private readonly random: Random,
    private readonly log: (text: string) => void,
  ) {}

  newName(): number {
    return ++this.names;
  }

  read(node: Node): Token | undefined {
    const token = this.open(node)?.token;
    return token && token.expires > this.now ? token : undefined;
  }

  acquire(node: Node, id: number, minLeft: number, whileRevoking: boolean): Acquired {
    const hash = this.open(node);
    if (this.isPending(hash) && !whileRevoking) return { kind: "revoking" };
    const token = this.read(node);
    if (token && token.expires - this.now >= minLeft) return { kind: "token", token };
    if (hash?.lease && hash.lease.until > this.now) return { kind: "busy" };
    const { incarnation } = node;
    const generation = hash?.generation ?? this.newName();
    const lease = { id, until: this.now + ticks.lease };
    node.write({ incarnation, generation, token: hash?.token, lease, pending: hash?.pending ?? new Map() });
    return { kind: "lease", lease: { id, generation } };
  }

  extend(node: Node, { id }: Lease): boolean {
    const hash = this.open(node);
    if (hash?.lease?.id !== id || hash.lease.until <= this.now) return false;
    node.write({ ...hash, lease: { id, until: this.now + ticks.lease } });
    return true;
  }

  commit(node: Node, { id, generation }: Lease, token: Token): "stored" | "unstored" | "superseded" {
    const hash = this.open(node);
    if (this.parts.generation && hash?.generation !== generation) return "superseded";
    if (hash?.lease?.id !== id) return "unstored";
    const stored = !this.isPending(hash);
    node.write({ ...hash, lease: undefined, token: stored ? token : hash.token });
    return stored ? "stored" : "unstored";
  }

  release(node: Node, { id }: Lease): void {
    const hash = this.open(node);
    if (hash?.lease?.id === id) node.write({ ...hash, lease: undefined });
  }

  begin(node: Node, revocation: string): void {
    const pending = new Map(this.open(node)?.pending);
    if (this.parts.pending) pending.set(revocation, this.now + ticks.pending);
    node.write({ incarnation: node.incarnation, generation: this.newName(), pending });
  }

  end(node: Node, revocation: string): void {
    const pending = new Map(this.open(node)?.pending);
    pending.delete(revocation);
    const { incarnation } = node;
    node.write(pending.size === 0 ? undefined : { incarnation, generation: this.newName(), pending });
  }

  /** What becomes of a command of that gateway. */
  state(node: Node, gateway: number): "answers" | "refuses" | "silent" {
    if (node.dead) return "refuses";
    if (node.frozenUntil !== undefined || node.reach?.has(gateway) === false) return "silent";
    const fenced = node.isolatedAt !== undefined && this.now > node.isolatedAt + ticks.maxLag;
    return this.parts.fence && fenced ? "refuses" : "answers";
  }

  /** The primary that a gateway is told of when it connects; it may be told of one that has been replaced. */
  lookUp(gateway: number): Node {
    const { old } = this;
    if (!old) return this.primary;
    if (old.reach) return old.reach.has(gateway) ? old : this.primary;
    return this.random() < 0.4 ? old : this.primary;
  }

  /** Lets the servers notice what time it is. `woken`: one that was replaced in its sleep has just woken up. */
  tick(): "woken" | undefined {
    this.now += 1;
    const sleeper = [this.primary, this.old].find((node) => node?.frozenUntil === this.now);
    if (sleeper) {
      sleeper.frozenUntil = undefined;
      if (sleeper === this.primary) this.promoteAt = undefined;
      else sleeper.wokeAt = this.now;
      this.log("the frozen primary wakes up");
    }
    if (this.promoteAt === this.now) {
      if (!this.primary.dead) this.old = this.primary;
      this.succeed();
      this.log(`a replica is promoted${this.old ? ", the old primary does not know" : ""}`);
    }
    const { old } = this;
    if (!old) return undefined;
    const told = old.wokeAt !== undefined && this.now >= old.wokeAt + ticks.unaware;
    if (told || (old.isolatedAt !== undefined && this.random() < 0.04)) {
      old.dead = true;
      this.old = undefined;
      this.log("the old primary hears of its successor");
    }
    return old.wokeAt === this.now ? "woken" : undefined;
  }

  crash(): void {
    if (!this.isCalm()) return;
    this.primary.dead = true;
    this.promoteAt = this.now + ticks.promotion;
    this.log("the primary crashes");
  }

  restart(): void {
    if (!this.isCalm()) return;
    this.primary.dead = true;
    this.succeed();
    this.log("Redis restarts from a snapshot");
  }

  freeze(): void {
    if (!this.isCalm()) return;
    this.primary.frozenUntil = this.now + Math.floor(this.random.between(2, ticks.promotion * 3));
    this.promoteAt = this.now + ticks.promotion;
    this.log("the primary freezes");
  }

  isolate(gateways: number): void {
    if (!this.isCalm()) return;
    const alone = Math.floor(this.random() * gateways);
    this.primary.reach = new Set([alone]);
    this.primary.isolatedAt = this.now;
    this.promoteAt = this.now + ticks.promotion;
    this.log(`the primary is isolated with gateway ${alone}`);
  }

  evict(): void {
    this.primary.write(undefined);
    this.log("Redis evicts the hash");
  }

  private isCalm(): boolean {
    return !this.old && this.promoteAt === undefined;
  }

  private succeed(): void {
    this.primary = new Node(++this.incarnations, this.primary.copy(this.random));
    this.promoteAt = undefined;
  }

  private open(node: Node): Hash | undefined {
    const foreign = node.hash && node.hash.incarnation !== node.incarnation;
    if (this.parts.incarnation && foreign) node.write(undefined);
    return node.hash;
  }

  private isPending(hash: Hash | undefined): boolean {
    for (const until of hash?.pending.values() ?? []) if (until > this.now) return true;
    return false;
  }
}
