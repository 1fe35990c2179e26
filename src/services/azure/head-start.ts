/** Lets a caller go before its turn has been asked for, while Azure's limit is far: what Redis then says is of use to the next. */
import { setImmediate as nextTurn } from "node:timers/promises";

/** Of the window: for so long the word that there is plenty counts, for others may take much of it meanwhile. */
const counts = 1 / 30;
/**
 * Of the limit: so many may be under way that have not been told of. By so many, for each gateway, a window can come to
 * more than the limit, if others take half of it at once just after a gateway was told that there is plenty.
 */
const untold = 1 / 200;

/** Whether there is plenty of one operation's turns, which is when half of the limit is free, as Redis said last. */
export class HeadStart {
  private plentyUntil = -Infinity;
  private underWay = 0;
  private readonly most: number;

  /** @param limit of all gateways, in a window; of a small one nobody is let go ahead. */
  constructor(
    limit: number,
    private readonly windowMs: number,
  ) {
    this.most = Math.floor(limit * untold);
  }

  get isPossible(): boolean {
    return this.underWay < this.most && performance.now() < this.plentyUntil;
  }

  /** What Redis said; undefined: nothing. */
  heard(isPlenty: boolean | undefined): void {
    this.plentyUntil = isPlenty ? performance.now() + this.windowMs * counts : -Infinity;
  }

  /** Goes ahead, and tells of it when the request is on its way. `tell` must not reject. */
  async take(tell: () => Promise<boolean | undefined>): Promise<void> {
    this.underWay++;
    await nextTurn();
    const isPlenty = await tell();
    this.underWay--;
    this.heard(isPlenty);
  }
}
