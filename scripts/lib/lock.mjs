/** One run at a time for what several runs would spoil for each other. */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { root, say } from "./project.mjs";

const folder = join(root, ".cache");
const lock = join(folder, "setup.lock");
/** What rename says when a folder that is not empty is in the place; the last on Windows. */
const taken = ["ENOTEMPTY", "EEXIST", "EPERM"];

/** Runs `work` while no other process of this checkout is in here. The lock of a process that is gone is taken over. */
export async function alone(work) {
  await mkdir(folder, { recursive: true });
  for (let told = false; !(await take()); told = true) {
    if (!told) say("Waiting for another run that is installing or building…");
    await delay(100);
  }
  try {
    return await work();
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
}

/** The folder appears with its owner already inside: renaming is atomic, and fails when the place is taken. */
async function take() {
  const mine = `${lock}.${process.pid}`;
  await mkdir(mine, { recursive: true });
  await writeFile(join(mine, "pid"), String(process.pid));
  try {
    await rename(mine, lock);
    return true;
  } catch (error) {
    if (!taken.includes(error.code)) throw error;
    await rm(mine, { recursive: true, force: true });
    await dropIfAbandoned();
    return false;
  }
}

async function dropIfAbandoned() {
  const owner = await readFile(join(lock, "pid"), "utf8").catch(() => undefined);
  if (owner === undefined || isAlive(Number(owner))) return;
  const aside = `${lock}.abandoned-${process.pid}`;
  await rename(lock, aside).catch(() => undefined);
  // Somebody may have taken it between the look and the move: then it is put back.
  const moved = await readFile(join(aside, "pid"), "utf8").catch(() => undefined);
  if (moved !== undefined && moved !== owner) await rename(aside, lock).catch(() => undefined);
  await rm(aside, { recursive: true, force: true });
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
