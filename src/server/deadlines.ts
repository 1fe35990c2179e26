/** Tells when work has taken too long: all work has the same time, so one timer serves it all. */
import { Line, Member } from "./line";

/** Work that must end. */
export interface Deadline {
  /** Its time was over before it ended. */
  readonly isOver: boolean;
  /** How long it has taken until now, in milliseconds. */
  readonly elapsedMs: number;
  /** It has ended. */
  end(): void;
}

class Work extends Member implements Deadline {
  isOver = false;

  constructor(
    private readonly begunAt: number,
    readonly due: number,
    public onOver: (() => void) | undefined,
    private readonly all: Line<Work>,
  ) {
    super();
  }

  get elapsedMs(): number {
    return performance.now() - this.begunAt;
  }

  end(): void {
    if (this.onOver === undefined) return;
    this.onOver = undefined;
    this.all.leave(this);
  }
}

/** The deadlines of all work that has not ended. */
export class Deadlines {
  /** In the order of its beginning, which is that of its deadlines. */
  private readonly all = new Line<Work>();
  private timer: NodeJS.Timeout | undefined;

  /** @param ms the time of all work, in milliseconds. */
  constructor(private readonly ms: number) {}

  /** Calls `onOver` when the time is over, unless the work has ended by then. */
  start(onOver: () => void): Deadline {
    const now = performance.now();
    const work = new Work(now, now + this.ms, onOver, this.all);
    this.all.join(work);
    this.timer ??= this.wait(this.ms);
    return work;
  }

  private wait(ms: number): NodeJS.Timeout {
    return setTimeout(this.look, ms).unref();
  }

  private readonly look = (): void => {
    this.timer = undefined;
    const now = performance.now();
    for (let work = this.all.first; work; work = this.all.first) {
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
