/** A named pipe that a test reads, leaves full, or leaves: what a log's collector may do. */
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

export class NamedPipe implements Disposable {
  readonly file = join(mkdtempSync(join(tmpdir(), "pipe-")), "pipe");
  #reader: number | undefined;

  constructor() {
    execFileSync("mkfifo", [this.file]);
    this.open();
  }

  /** The reader comes. */
  open(): void {
    this.#reader = openSync(this.file, O_RDONLY | O_NONBLOCK);
  }

  /** The reader goes. */
  close(): void {
    if (this.#reader !== undefined) closeSync(this.#reader);
    this.#reader = undefined;
  }

  /** Fills it to the last byte with empty lines. */
  fill(): void {
    const writer = openSync(this.file, O_WRONLY | O_NONBLOCK);
    try {
      for (const size of [4_096, 1]) while (wrote(writer, "\n".repeat(size)));
    } finally {
      closeSync(writer);
    }
  }

  /** Reads what is in it now. */
  read(): string {
    const part = Buffer.alloc(65_536);
    let text = "";
    for (;;) {
      const size = this.#sizeRead(part);
      if (size === 0) return text;
      text += part.toString("utf8", 0, size);
    }
  }

  #sizeRead(part: Buffer): number {
    try {
      return this.#reader === undefined ? 0 : readSync(this.#reader, part);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.close();
    rmSync(dirname(this.file), { recursive: true });
  }
}

function wrote(writer: number, text: string): boolean {
  try {
    return writeSync(writer, text) > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return false;
    throw error;
  }
}
