/** Writes lines that come together together: to write costs more than all else there is to a line. */
import type { Clock } from "../clock";
import type { DestinationStream } from "./line-destination";
import { shortLine } from "./short-line";

/** Lines on their way to a stream, in the order in which they came. */
export class GroupedLines {
  private lines = "";
  private time = { ms: Number.NaN, text: "" };

  constructor(
    private readonly stream: DestinationStream,
    private readonly clock: Clock,
  ) {}

  /** Takes a line, with its end; what nobody flushes is written before the next event. */
  add(line: string): void {
    if (this.lines === "") process.nextTick(this.flush);
    this.lines += shortLine(line);
  }

  /** Writes what has come. */
  readonly flush = (): void => {
    if (this.lines === "") return;
    const { lines } = this;
    this.lines = "";
    this.stream.write(lines);
  };

  /** Why lines cannot be written; undefined: they can. */
  failure(): string | undefined {
    return this.stream.failure?.();
  }

  /** The time as lines tell it: many are of one millisecond. */
  now(): string {
    const ms = this.clock.now();
    if (ms !== this.time.ms) this.time = { ms, text: new Date(ms).toISOString() };
    return this.time.text;
  }
}
