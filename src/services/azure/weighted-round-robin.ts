/** In which order resources are asked for something new: by weight, one after the other, those that just failed last. */

/** What may be chosen. */
export interface Weighted {
  /** Its share beside the others' weights; more than 0. */
  readonly weight: number;
}

/** For how long a resource that has failed is asked after the others, in milliseconds. */
const restMs = 5_000;

interface Seat<T> {
  readonly member: T;
  credit: number;
  restsUntil: number;
}

/**
 * Smooth weighted round-robin: at each turn every member gains its weight, the richest is chosen and pays the sum of all
 * weights. So any run of turns is as close to the weights as it can be, and a heavy one is not chosen ten times in a row.
 */
export class WeightedRoundRobin<T extends Weighted> {
  private readonly seats: readonly Seat<T>[];
  private readonly sum: number;

  constructor(
    members: readonly T[],
    /** Where in the cycle to begin, 0 to 1: gateways that start together should not begin together. */
    phase: number,
    /** Milliseconds that only grow. */
    private readonly now: () => number = () => performance.now(),
  ) {
    this.seats = members.map((member) => ({ member, credit: 0, restsUntil: -Infinity }));
    this.sum = members.reduce((sum, { weight }) => sum + weight, 0);
    for (let skipped = Math.floor(phase * this.sum); skipped > 0; skipped--) this.turn();
  }

  /** All members: whose turn it is, then the others in the order in which they are due; those that rest come last. */
  next(): T[] {
    const chosen = this.turn();
    const now = this.now();
    const rank = (seat: Seat<T>) => (seat.restsUntil > now ? 2 : seat === chosen ? 0 : 1);
    return [...this.seats]
      .sort((a, b) => rank(a) - rank(b) || b.credit - a.credit)
      .map(({ member }) => member);
  }

  /** The member has just failed: the others are asked first for a while. */
  rest(member: T): void {
    this.seatOf(member).restsUntil = this.now() + restMs;
  }

  /** The member has just done what it was asked for. */
  wake(member: T): void {
    this.seatOf(member).restsUntil = -Infinity;
  }

  private turn(): Seat<T> {
    for (const seat of this.seats) seat.credit += seat.member.weight;
    const chosen = this.seats.reduce((richest, seat) => (seat.credit > richest.credit ? seat : richest));
    chosen.credit -= this.sum;
    return chosen;
  }

  private seatOf(member: T): Seat<T> {
    const seat = this.seats.find((each) => each.member === member);
    if (!seat) throw new Error("There is no such member.");
    return seat;
  }
}
