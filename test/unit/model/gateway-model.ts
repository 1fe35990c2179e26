/** A gateway as the protocol sees it: requests, shared runs, issuance, revocation, renewal and the heartbeat. */
import type { Random } from "../../support/random";
import type { Parts } from "./parts";
import { ticks, type Lease, type Node, type RedisModel, type Token } from "./redis-model";

/** Code that anything else may run between two steps of; a step may wait for a condition. */
export type Routine<T = void> = Generator<(() => boolean) | undefined, T, void>;

/** Everything that a gateway touches. */
export interface Surroundings {
  readonly parts: Parts;
  readonly redis: RedisModel;
  readonly random: Random;
  readonly tokens: Token[];
  /** Whether commands may be lost, Azure fail, and its answers be long on the way. */
  readonly has: (fault: "commands" | "azure" | "slow") => boolean;
  /** The next point in the order of events. */
  order(): number;
  spawn(gateway: number, routine: Routine): void;
  /** A command that its caller has given up, and that may run yet. */
  later(node: Node, command: (node: Node) => unknown): void;
  served(gateway: number, token: Token, began: number, how: string): void;
  gaveUp(): void;
  revoked(): void;
  /** Something has happened to a gateway that makes a request to it a good question now. */
  stir(gateway: number): void;
  log(text: string): void;
}

interface Outcome {
  readonly token: Token;
  readonly asOf: number;
}

interface Seat {
  waiting: number;
  done: boolean;
  aborted: boolean;
  outcome?: Outcome | undefined;
}

interface Way {
  readonly force: boolean;
  readonly seat: Seat;
}

/** One process. A crash is a new one in its place. */
export class GatewayModel {
  pausedUntil = 0;
  cut = false;
  private moments = 0;
  private readonly seats = new Map<boolean, Seat>();
  private readonly owed = new Set<string>();
  private renewing = false;
  private node: Node;
  private up = true;
  private good = 2;
  private goodAt: number;
  private beat: { sentAt: number; node: Node } | undefined;
  private nextBeat: number;

  constructor(
    private readonly id: number,
    private readonly world: Surroundings,
  ) {
    // Who starts has looked the primary up just now.
    this.node = world.redis.primary;
    this.goodAt = this.now;
    this.up = this.state() === "answers";
    this.nextBeat = this.now + ticks.beat;
  }

  private get now(): number {
    return this.world.redis.now;
  }

  /** Lets the heart beat. */
  tick(): void {
    if (this.pausedUntil > this.now) return;
    const { trust, secondBeat } = this.world.parts;
    // Without the heartbeat, who happens to be told of a promotion goes there.
    if (!trust && this.node === this.world.redis.old && this.world.random() < 0.1) this.drop();
    if (!this.beat) {
      if (this.now < this.nextBeat) return;
      this.beat = { sentAt: this.now, node: this.node };
    }
    const { sentAt, node } = this.beat;
    const state = node === this.node ? this.state() : "refuses";
    if (state === "silent" && this.now - sentAt < ticks.beatTimeout) return;
    this.beat = undefined;
    this.nextBeat = this.now + ticks.beat;
    if (state === "answers") {
      this.good += 1;
      this.goodAt = sentAt;
      if (!this.up && this.good >= (secondBeat ? 2 : 1)) {
        this.up = true;
        this.world.spawn(this.id, this.finish());
        this.world.stir(this.id);
      }
    } else if (trust || state === "refuses") this.drop();
  }

  *request(force: boolean): Routine {
    const { world } = this;
    const order = world.order();
    const began = this.moment();
    const settled = !world.parts.readBarrier || (yield* this.settled());
    let withoutStore = !settled;
    if (settled && !force) {
      const answer = yield* this.ask((node) => world.redis.read(node));
      if (answer?.value) {
        this.consider(answer.value);
        world.served(this.id, answer.value, order, "read");
        return;
      }
      withoutStore = !answer;
    }
    const deadline = this.now + ticks.deadline;
    for (;;) {
      const seat = this.seats.get(force) ?? this.takeOff(force, withoutStore);
      seat.waiting += 1;
      try {
        yield () => seat.done || this.now >= deadline;
      } finally {
        // Also when the caller leaves.
        seat.waiting -= 1;
        if (seat.waiting === 0 && !seat.done) {
          seat.aborted = true;
          if (this.seats.get(force) === seat) this.seats.delete(force);
        }
      }
      const { outcome } = seat;
      if (!outcome) {
        world.gaveUp();
        return;
      }
      if (began < outcome.asOf || !world.parts.vouching) {
        world.served(this.id, outcome.token, order, "run");
        return;
      }
    }
  }

  *revoke(revocation: string): Routine {
    const { world, id } = this;
    const { redis, parts } = world;
    if (parts.begin) {
      const begun = yield* this.ask((node) => {
        redis.begin(node, revocation);
      });
      world.log(`gateway ${id}: BEGIN ${revocation} ${begun ? "done" : "not answered"}`);
    }
    yield;
    const dead = [...world.tokens];
    for (const token of dead) token.killed = Math.min(token.killed, this.now);
    world.log(`Azure revokes for ${revocation}: ${dead.map(({ name }) => name).join(" ")}`);
    yield* this.wait(3);
    const failed = world.has("azure") && world.random() < 0.1;
    let confirmed = !parts.end;
    for (let attempt = 0; attempt < 4 && !confirmed; attempt++) {
      if (attempt > 0) yield* this.wait(1);
      confirmed = yield* this.tellEnd(revocation);
    }
    if (!confirmed) this.owed.add(revocation);
    if (failed) return;
    const order = world.order();
    for (const token of dead) {
      if (confirmed) token.revoked = Math.min(token.revoked, order);
      else if (!token.unconfirmed.has(id)) token.unconfirmed.set(id, order);
    }
    world.log(`gateway ${id}: ${revocation} answers ${confirmed ? "OK" : "CACHE_UNAVAILABLE"}`);
    world.revoked();
    world.stir(id);
  }

  private moment(): number {
    return ++this.moments;
  }

  private state() {
    return this.cut ? "silent" : this.world.redis.state(this.node, this.id);
  }

  private drop(): void {
    this.up = false;
    this.good = 0;
    this.node = this.world.redis.lookUp(this.id);
  }

  private isTrusted(): boolean {
    if (!this.world.parts.trust) return true;
    if (this.up && this.now - this.goodAt > ticks.trust) this.drop();
    return this.up;
  }

  private *wait(atMost: number, atLeast = 0): Routine {
    const until = this.now + atLeast + Math.floor(this.world.random() * (atMost + 1));
    yield () => this.now >= until;
  }

  /** A command: its answer, or undefined when it was not sent, was refused, timed out or was answered in vain. */
  private *ask<T>(command: (node: Node) => T): Routine<{ readonly value: T } | undefined> {
    const { node, world } = this;
    const sentAt = this.now;
    if (!this.isTrusted()) return undefined;
    const luck = world.has("commands") ? world.random() : 1;
    yield;
    const isStuck = () =>
      this.node === node && this.state() === "silent" && this.now - sentAt < ticks.command;
    if (luck < 0.05) yield () => this.now > sentAt;
    else if (isStuck()) yield () => !isStuck();
    if (luck < 0.05 || this.node !== node || this.state() === "silent") {
      world.later(node, command);
      return undefined;
    }
    if (this.state() === "refuses") return undefined;
    const value = command(node);
    yield;
    return luck < 0.08 || this.node !== node ? undefined : { value };
  }

  private takeOff(force: boolean, withoutStore: boolean): Seat {
    const seat: Seat = { waiting: 0, done: false, aborted: false };
    this.seats.set(force, seat);
    this.world.spawn(this.id, this.fly(force, withoutStore, seat));
    return seat;
  }

  private *fly(force: boolean, withoutStore: boolean, seat: Seat): Routine {
    seat.outcome = withoutStore
      ? yield* this.issueUnstored({ force, seat })
      : yield* this.obtain({ force, seat });
    seat.done = true;
    if (this.seats.get(force) === seat) this.seats.delete(force);
  }

  private *obtain(way: Way): Routine<Outcome | undefined> {
    const { redis, parts } = this.world;
    const patienceEnd = this.now + ticks.patience;
    for (let superseded = 0; superseded < 3;) {
      const asOf = this.moment();
      if (parts.runBarrier && this.owed.size > 0) return yield* this.issueUnstored(way);
      const id = redis.newName();
      const whileRevoking = this.now >= patienceEnd;
      const turn = yield* this.ask((node) =>
        redis.acquire(node, id, way.force ? Infinity : 0, whileRevoking),
      );
      switch (turn?.value.kind) {
        case undefined:
          return yield* this.issueUnstored(way);
        case "token":
          return { token: turn.value.token, asOf };
        case "lease": {
          const outcome = yield* this.issueUnderLease(turn.value.lease, way);
          if (outcome !== "superseded") return outcome;
          superseded += 1;
          break;
        }
        default:
          yield* this.wait(2);
          if (way.seat.aborted) return undefined;
      }
    }
    return undefined;
  }

  private *issueUnderLease(lease: Lease, way: Way): Routine<Outcome | "superseded" | undefined> {
    const { redis, parts } = this.world;
    const beforeAzure = this.moment();
    let over = false;
    this.world.spawn(
      this.id,
      this.extend(lease, () => over),
    );
    const token = yield* this.issue(way);
    over = true;
    if (!token) {
      yield* this.ask((node) => {
        redis.release(node, lease);
      });
      return undefined;
    }
    const beforeCommit = this.moment();
    const owing = parts.runBarrier && this.owed.size > 0;
    const committed = yield* this.ask((node) => redis.commit(node, lease, token));
    this.world.log(`gateway ${this.id}: commit of ${token.name} is ${committed?.value ?? "not answered"}`);
    if (committed?.value === "superseded") return "superseded";
    return { token, asOf: committed && !way.force && !owing ? beforeCommit : beforeAzure };
  }

  private *issueUnstored(way: Way): Routine<Outcome | undefined> {
    const asOf = this.moment();
    const token = yield* this.issue(way);
    return token && { token, asOf };
  }

  private *issue({ seat }: Way): Routine<Token | undefined> {
    const { world } = this;
    const isLeft = () => seat.aborted;
    const start = this.now;
    yield* this.wait(2);
    if (isLeft()) return undefined;
    const token: Token = {
      name: `t${world.tokens.length + 1}`,
      issued: this.now,
      expires: this.now + ticks.life,
      killed: Infinity,
      revoked: Infinity,
      unconfirmed: new Map(),
    };
    world.tokens.push(token);
    world.log(`Azure issues ${token.name} to gateway ${this.id}`);
    yield* this.wait(3, world.has("slow") && world.random() < 0.5 ? 9 : 0);
    const failed = world.has("azure") && world.random() < 0.05;
    return isLeft() || failed || this.now - start > ticks.deadline ? undefined : token;
  }

  private *extend(lease: Lease, isOver: () => boolean): Routine {
    for (;;) {
      const due = this.now + 1;
      yield () => isOver() || this.now >= due;
      if (isOver()) return;
      const held = yield* this.ask((node) => this.world.redis.extend(node, lease));
      if (held?.value === false) return;
    }
  }

  private consider(old: Token): void {
    if (this.renewing || this.now - old.issued < ticks.renewAfter) return;
    this.renewing = true;
    this.world.spawn(this.id, this.renew(old));
  }

  private *renew(old: Token): Routine {
    const { redis } = this.world;
    const acquire = (minLeft: number) => {
      const id = redis.newName();
      return this.ask((node) => redis.acquire(node, id, minLeft, false));
    };
    const turn = yield* acquire(old.expires - this.now + 1);
    if (turn?.value.kind === "lease") {
      const seat: Seat = { waiting: 1, done: false, aborted: false };
      yield* this.issueUnderLease(turn.value.lease, { force: true, seat });
    }
    this.renewing = false;
  }

  private *settled(): Routine<boolean> {
    for (const revocation of this.owed) {
      if (!(yield* this.tellEnd(revocation))) return false;
      this.owed.delete(revocation);
    }
    return true;
  }

  private *finish(): Routine {
    // There may be other identities to be settled first.
    yield* this.wait(4);
    yield* this.settled();
  }

  private *tellEnd(revocation: string): Routine<boolean> {
    const told = yield* this.ask((node) => {
      this.world.redis.end(node, revocation);
    });
    this.world.log(`gateway ${this.id}: END ${revocation} ${told ? "done" : "not answered"}`);
    return told !== undefined;
  }
}
