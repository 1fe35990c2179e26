/** Tells when work has taken too long: all work has the same time, so one timer serves it all. */

/** Work that must end. */
export interface Deadline {
  /** Its time was over before it ended. */
  readonly isOver: boolean;
  /** How long it has taken until now, in milliseconds. */
  readonly elapsedMs: number;
  /** It has ended. */
  end(): void;
}

/**
 * Work in the order of its beginning, which is that of its deadlines, as a list that is linked by hand. A Set would do,
 * but one that is added to and deleted from with each request costs more than all of the rest: the tables that it
 * leaves behind point at those that come after them, and the garbage collector keeps whole generations of requests.
 */
class Work implements Deadline {
  isOver = false;
  next: Work | undefined;

  constructor(
    readonly due: number,
    public onOver: (() => void) | undefined,
    public before: Work | undefined,
    private readonly all: Deadlines,
  ) {}

  get elapsedMs(): number {
    return performance.now() - this.due + this.all.ms;
  }

  end(): void {
    if (this.onOver === undefined) return;
    this.onOver = undefined;
    this.all.forget(this);
  }
}

export class Deadlines {
  private first: Work | undefined;
  private last: Work | undefined;
  private timer: NodeJS.Timeout | undefined;

  /** @param ms the time of all work, in milliseconds. */
  constructor(readonly ms: number) {}

  /** Calls `onOver` when the time is over, unless the work has ended by then. */
  start(onOver: () => void): Deadline {
    const work = new Work(performance.now() + this.ms, onOver, this.last, this);
    if (this.last) this.last.next = work;
    else this.first = work;
    this.last = work;
    this.timer ??= this.wait(this.ms);
    return work;
  }

  /** For the work itself. */
  forget(work: Work): void {
    const { before, next } = work;
    if (before) before.next = next;
    else this.first = next;
    if (next) next.before = before;
    else this.last = before;
    work.before = work.next = undefined;
  }

  private wait(ms: number): NodeJS.Timeout {
    return setTimeout(this.look, ms).unref();
  }

  private readonly look = (): void => {
    this.timer = undefined;
    const now = performance.now();
    for (let work = this.first; work; work = this.first) {
      if (work.due > now) {
        this.timer = this.wait(Math.ceil(work.due - now));
        return;
      }
      const { onOver } = work;
      work.isOver = true;
      work.end();
      onOver?.();
    }
  };
}
