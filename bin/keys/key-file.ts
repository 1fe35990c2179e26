/** Changes a file of keys as a whole: what is wrong is never put in place, and readers see the old text or the new one. */
import { randomUUID } from "node:crypto";
import { open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, resolve } from "node:path";
import type { Meaning } from "../../src/services/watched-file";
import { StartupError } from "../../src/startup-error";

/** What a file of keys is, and how the gateway reads it. */
export interface KeyFileKind<T> {
  /** As in "a file of API keys". */
  readonly what: string;
  /** The gateway's own parser. */
  readonly parse: (text: string) => Meaning<T>;
}

/** A text with what it means, and when it was last changed. */
export interface KeyText<T> {
  readonly text: string;
  readonly keys: T;
  /** Milliseconds since the epoch. */
  readonly changedAt: number;
}

/** Reads a file of keys. Throws `StartupError` when it is not there or the gateway would refuse it. */
export async function readKeyFile<T>(file: string, kind: KeyFileKind<T>): Promise<KeyText<T>> {
  const path = resolve(file);
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, "utf8"), stat(path)]);
    return { text, keys: meant(text, kind, path), changedAt: mtimeMs };
  } catch (error) {
    throw inWords(error, path);
  }
}

/**
 * Replaces the text of a file by what `change` makes of it. A file that is not there is made, with mode 0600, where
 * `change` makes something of nothing. The new text is parsed, written beside the file, synced to disk and renamed over
 * it with the old one's mode and owner. Rejects with `StartupError`, and leaves the file as it is, when another change
 * is under way or the gateway would refuse the text.
 */
export async function changeKeyFile<T>(
  file: string,
  kind: KeyFileKind<T>,
  change: (now: KeyText<T> | undefined) => string,
): Promise<void> {
  const path = await target(file);
  let lock: AsyncDisposable | undefined;
  try {
    lock = await lockBeside(path);
    const before = await stat(path).catch(unlessMissing);
    const now =
      before &&
      (await readFile(path, "utf8").then((text) =>
        // A file that was prepared empty is one that has nothing yet.
        text.trim() === "" ? undefined : { text, keys: meant(text, kind, path), changedAt: before.mtimeMs },
      ));
    const text = change(now);
    meant(text, kind, path);
    if (text !== now?.text) await replace(path, text, before);
  } catch (error) {
    throw inWords(error, path);
  } finally {
    await lock?.[Symbol.asyncDispose]();
  }
}

function meant<T>(text: string, { what, parse }: KeyFileKind<T>, path: string): T {
  const meaning = parse(text);
  if (meaning.problem === undefined) return meaning.value;
  throw new StartupError(`${path} is no file of ${what} that a gateway takes: its text ${meaning.problem}.`);
}

/** Where a symbolic link leads: the link stays one. */
async function target(file: string): Promise<string> {
  const path = resolve(file);
  return (await realpath(path).catch(unlessMissing)) ?? path;
}

interface Stats {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

async function replace(path: string, text: string, before: Stats | undefined): Promise<void> {
  const aside = `${path}.${randomUUID()}.new`;
  try {
    const handle = await open(aside, "wx", 0o600);
    try {
      await handle.writeFile(text);
      if (before) {
        const made = await handle.stat();
        if (made.uid !== before.uid || made.gid !== before.gid) await handle.chown(before.uid, before.gid);
        await handle.chmod(before.mode & 0o777);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Without it a power cut could bring the old text back. Some systems have no way to do that. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

/** Two changes at once would each undo the other's. A lock whose process has died is taken over. */
async function lockBeside(path: string): Promise<AsyncDisposable> {
  const lock = `${path}.lock`;
  const holder = `${hostname()} ${process.pid}`;
  for (let attempt = 0; ; attempt++) {
    const handle = await open(lock, "wx", 0o600).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return undefined;
      throw error;
    });
    if (handle) {
      await handle.writeFile(holder);
      await handle.close();
      return { [Symbol.asyncDispose]: () => rm(lock, { force: true }) };
    }
    const held = (await readFile(lock, "utf8").catch(unlessMissing)) ?? "";
    if (attempt > 0 || !isDead(held)) {
      throw new StartupError(
        `Another command is changing ${path}. Try again when it has ended; if there is none, delete ${lock}.`,
      );
    }
    // Moved, not removed: of several that find it dead, one moves it.
    const aside = `${lock}.${randomUUID()}`;
    await rename(lock, aside).catch(unlessMissing);
    await rm(aside, { force: true });
  }
}

/** Process numbers say nothing about another host. */
function isDead(holder: string): boolean {
  const [host, pid] = holder.split(" ");
  if (host !== hostname() || !/^\d+$/.test(pid ?? "")) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

function unlessMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
}

function inWords(error: unknown, path: string): unknown {
  if (error instanceof StartupError) return error;
  switch ((error as NodeJS.ErrnoException).code) {
    case "ENOENT":
      return new StartupError(`There is no file ${path}.`);
    case "EACCES":
    case "EPERM":
      return new StartupError(`This user may not read or change ${path}, or its folder.`);
    case "EROFS":
      return new StartupError(`${path} is on a read-only volume: change it where it comes from.`);
    case "EISDIR":
      return new StartupError(`${path} is a folder.`);
    default:
      return error;
  }
}
