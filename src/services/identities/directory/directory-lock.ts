/** Keeps a second process out of a folder that only one may use. */
import { randomUUID } from "node:crypto";
import { readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { DatabaseUnusable } from "./sql";
import { sleep } from "../../sleep";

/** The locks of this process. */
const held = new Set<string>();

const beatMs = 2_000;
const staleMs = 10_000;

interface Holder {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
}

/**
 * A file that names its holder, and whose time of change the holder renews every two seconds. It is taken over at once
 * when its holder was a process of this host that is no more, else when it was not renewed for ten seconds: process
 * numbers say nothing about another host, or another container on the same volume.
 */
export class DirectoryLock implements AsyncDisposable {
  private readonly timer: NodeJS.Timeout;

  private constructor(
    private readonly file: string,
    private readonly id: string,
  ) {
    this.timer = setInterval(() => {
      const now = new Date(performance.timeOrigin + performance.now());
      // A folder that has been taken away is found out by the database.
      utimes(file, now, now).catch(() => undefined);
    }, beatMs).unref();
  }

  /** Rejects with {@link DatabaseUnusable} while another process has it. */
  static async acquire(file: string): Promise<DirectoryLock> {
    const mine: Holder = { id: randomUUID(), host: hostname(), pid: process.pid };
    for (let attempt = 0; attempt < 3; attempt++) {
      if (await write(file, mine)) {
        held.add(mine.id);
        return new DirectoryLock(file, mine.id);
      }
      if (!(await isStale(file))) break;
      // Moved, not removed: of several that find it stale, one moves it.
      const aside = `${file}.${mine.id}`;
      await rename(file, aside).catch(() => undefined);
      await rm(aside, { force: true });
      await sleep(Math.random() * 50);
    }
    throw new DatabaseUnusable(
      `Another gateway uses the directory of identities beside ${file}. Several gateways share one by DATABASE_URL; a gateway of its own has its own DIRECTORY_PATH.`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.timer);
    held.delete(this.id);
    if ((await holderOf(this.file))?.id === this.id) await rm(this.file, { force: true });
  }
}

/** Whether a process has the lock now. */
export async function isHeld(file: string): Promise<boolean> {
  return !(await isStale(file));
}

async function write(file: string, holder: Holder): Promise<boolean> {
  try {
    await writeFile(file, JSON.stringify(holder), { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function isStale(file: string): Promise<boolean> {
  const [holder, stats] = await Promise.all([holderOf(file), stat(file).catch(() => undefined)]);
  if (!stats) return true;
  const ageMs = performance.timeOrigin + performance.now() - stats.mtimeMs;
  if (ageMs > staleMs) return true;
  if (holder?.host !== hostname()) return false;
  // In a container that is started again the number is our own: it was our predecessor's, unless we hold it ourselves.
  return holder.pid === process.pid ? !held.has(holder.id) : !isAlive(holder.pid);
}

async function holderOf(file: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Holder;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
