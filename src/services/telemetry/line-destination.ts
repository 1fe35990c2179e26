/** A file or a descriptor that lines are written to at once. When it cannot be written, lines wait and the process goes on. */
import { constants, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { SonicBoom } from "sonic-boom";

/** Takes lines. */
export interface DestinationStream {
  write(lines: string): void;
  /**
   * The system's code for what keeps lines from being written (`ENOSPC`, `EPIPE`, `EAGAIN`); undefined: nothing does.
   * What waits is tried again first. To be asked now and then.
   */
  failure?(): string | undefined;
}

/** The most that waits; further lines are lost until there is room. */
const maxWaitingBytes = 1024 * 1024;

const { O_APPEND, O_CREAT, O_NONBLOCK, O_WRONLY } = constants;

/**
 * A line of which a part was written is continued, so none is torn. The first line that a slow reader does not take is
 * tried twice, 100 ms apart. A pipe must not block: Node sees to that of its own when `process.stdout` is first used.
 */
export class LineDestination implements DestinationStream {
  private readonly stream: SonicBoom;
  private failing: string | undefined;
  private mayWait = true;

  /**
   * @param to each descriptor must have one destination only. A file is created if need be, readable to its owner alone.
   * @param onFailure told once when lines cannot be written any more. Throws as `openSync` does.
   */
  constructor(
    to: number | string,
    private readonly onFailure: (code: string) => void = () => undefined,
  ) {
    this.stream = new SonicBoom({
      fd: typeof to === "string" ? opened(to) : to,
      sync: true,
      maxLength: maxWaitingBytes,
      retryEAGAIN: () => {
        const may = this.mayWait;
        this.mayWait = false;
        return may;
      },
    });
    this.stream.on("error", ({ code = "UNKNOWN" }: NodeJS.ErrnoException) => {
      this.failing = code;
    });
  }

  write(lines: string): void {
    const before = this.failing;
    this.attempt(lines);
    if (before === undefined && this.failing !== undefined) this.onFailure(this.failing);
  }

  failure(): string | undefined {
    if (this.failing !== undefined) this.attempt("");
    return this.failing;
  }

  private attempt(lines: string): void {
    this.mayWait = this.failing === undefined;
    this.failing = undefined;
    this.stream.write(lines);
  }
}

/** A named pipe does not block either. */
function opened(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  return openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o600);
}
