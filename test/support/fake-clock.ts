/** A clock that tests turn: it starts at the machine's time and moves only when told. */
import type { Clock } from "../../src/services/clock";

export class FakeClock implements Clock {
  private time = Date.now();

  now(): number {
    return this.time;
  }

  advanceBy({ minutes = 0, ms = 0 }: { minutes?: number; ms?: number }): void {
    this.time += minutes * 60_000 + ms;
  }
}
