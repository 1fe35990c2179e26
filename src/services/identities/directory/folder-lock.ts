/** Keeps a second process of this machine out of a folder that only one may use. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseUnusable } from "./sql";

/** What the lock file says. A process is known by its start too: after a restart a container's number is the same. */
interface Holder {
  readonly host: string;
  readonly pid: number;
  readonly startedAt: number;
}

const fileIn = (folder: string) => join(folder, "lock");

/**
 * Locks the folder until disposed of. Rejects with {@link DatabaseUnusable} while another process of this machine has
 * it. The lock of a process that died is taken over, and so is another machine's or container's: who mounts a volume
 * twice must prevent that otherwise.
 */
export async function lockFolder(folder: string): Promise<AsyncDisposable> {
  const file = fileIn(folder);
  for (const isLast of [false, true]) {
    if (await write(file)) return { [Symbol.asyncDispose]: () => rm(file, { force: true }) };
    if (isLast || (await isLocked(folder))) break;
    await rm(file, { force: true });
  }
  throw new DatabaseUnusable(
    `Another gateway uses the directory of identities in ${folder}. Several gateways share one by DATABASE_URL; a gateway of its own has its own DIRECTORY_PATH. If no gateway runs, delete ${file}.`,
  );
}

/** Whether a process of this machine has the folder now. */
export async function isLocked(folder: string): Promise<boolean> {
  const text = await readFile(fileIn(folder), "utf8").catch(() => undefined);
  if (text === undefined) return false;
  let holder: Partial<Holder>;
  try {
    holder = JSON.parse(text) as Partial<Holder>;
  } catch {
    // It is being written.
    return true;
  }
  const { host, pid, startedAt } = holder;
  if (host !== hostname() || pid === undefined) return false;
  return pid === process.pid ? startedAt === performance.timeOrigin : isAlive(pid);
}

/** False when there is a lock already. */
async function write(file: string): Promise<boolean> {
  const holder: Holder = { host: hostname(), pid: process.pid, startedAt: performance.timeOrigin };
  try {
    await writeFile(file, JSON.stringify(holder), { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
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
