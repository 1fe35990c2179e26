/** A file that is read again while the process runs: what its text means, as long as the text makes sense. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { reasonOf } from "./redis/reason-of";

/** What a text means, or why it means nothing: a phrase that goes on after the file's name and repeats no secret. */
export type Meaning<T> =
  | { readonly value: T; readonly problem?: undefined }
  | { readonly value?: undefined; readonly problem: string };

/** How a file is watched. */
export interface WatchOptions<T> {
  readonly path: string;
  /** `inForce` is what the file meant until now. */
  readonly parse: (text: string, inForce: T) => Meaning<T>;
  /** Told when the text means something else than before. */
  readonly onChange: (value: T) => void;
  /** Told, once for each reason, when the text means nothing or cannot be read: what it meant before stays in force. */
  readonly onRejected: (reason: string) => void;
  /** How often the file is read again, in milliseconds; default 5 s. */
  readonly intervalMs?: number | undefined;
  /** Where SIGHUP is heard, which has the file read at once; default: this process. */
  readonly signals?: Pick<NodeJS.EventEmitter, "on" | "off"> | undefined;
}

/** Reads a file at start. The problem reads on from the name of the variable that names the file. */
export function readMeaning<T>(path: string, parse: (text: string) => Meaning<T>): Meaning<T> {
  try {
    const meaning = parse(readFileSync(path, "utf8"));
    if (meaning.problem === undefined) return meaning;
    return { problem: `names a file whose text ${meaning.problem}` };
  } catch (error) {
    return { problem: `names a file that cannot be read (${reasonOf(error)})` };
  }
}

/**
 * Reads a file again every few seconds and at SIGHUP. It is the text that is compared, not the file's times: whatever
 * replaces the file (an editor, a rename, Kubernetes swapping a symlink above it), nothing is missed.
 */
export class WatchedFile<T> implements AsyncDisposable {
  private readonly timer: NodeJS.Timeout;
  private readonly signals: Pick<NodeJS.EventEmitter, "on" | "off">;
  private reading: Promise<void> | undefined;
  private rejected: string | undefined;
  private disposed = false;

  /** `value` is what the file meant when it was read at start. */
  constructor(
    private value: T,
    private readonly options: WatchOptions<T>,
  ) {
    this.timer = setInterval(() => void this.reread(), options.intervalMs ?? 5_000).unref();
    this.signals = options.signals ?? process;
    this.signals.on("SIGHUP", this.onHangup);
    void this.reread();
  }

  /** What is in force. */
  current(): T {
    return this.value;
  }

  /** Stops watching; resolves when nothing is being read any more. What was in force stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true;
    clearInterval(this.timer);
    this.signals.off("SIGHUP", this.onHangup);
    await this.reading;
  }

  private readonly onHangup = () => {
    // Whoever sends it wants to be told, even what was told before; and a reading under way may be of before.
    this.rejected = undefined;
    void (this.reading ?? Promise.resolve()).then(() => this.reread());
  };

  private reread(): Promise<void> {
    if (this.disposed) return Promise.resolve();
    return (this.reading ??= this.apply().finally(() => (this.reading = undefined)));
  }

  private async apply(): Promise<void> {
    const { path, parse, onChange, onRejected } = this.options;
    const meaning = await readFile(path, "utf8").then(
      (text) => parse(text, this.value),
      (error: unknown): Meaning<T> => ({ problem: `cannot be read (${reasonOf(error)})` }),
    );
    if (this.disposed) return;
    if (meaning.problem !== undefined) {
      if (meaning.problem !== this.rejected) onRejected(meaning.problem);
      this.rejected = meaning.problem;
      return;
    }
    this.rejected = undefined;
    if (isDeepStrictEqual(meaning.value, this.value)) return;
    this.value = meaning.value;
    onChange(meaning.value);
  }
}
