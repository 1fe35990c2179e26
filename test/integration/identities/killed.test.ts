/** A process that is killed in the middle of a create leaves nothing that another process does not delete or tell. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { startEmulator, type Emulator } from "../../../emulator/emulator";
import { endWithParent } from "../../support/end-with-parent";
import { startRedis, type RedisServer } from "../../support/redis-server";
import { alive, startReplica } from "./replica";
import { until } from "../../support/until";

let emulator: Emulator;
let redis: RedisServer;

beforeEach(async () => {
  emulator = await startEmulator({ limits: false });
  redis = await startRedis();
});
afterEach(async () => {
  await redis[Symbol.asyncDispose]();
  await emulator[Symbol.asyncDispose]();
});

/** Starts a process that creates an identity, and kills it (SIGKILL) when it is at `step`. */
async function killAt(step: string): Promise<void> {
  const child = spawn(
    process.execPath,
    [
      join(__dirname, "..", "..", "support", "run-typescript.mjs"),
      join(__dirname, "doomed-process.ts"),
      emulator.url,
      emulator.connectionString,
      redis.url,
      step,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  endWithParent(child);
  const ended = once(child, "exit");
  const reached = once(child.stdout, "data");
  await Promise.race([reached, ended]);
  child.kill("SIGKILL");
  const [, signal] = (await ended) as [number | null, NodeJS.Signals | null];
  expect(signal).toBe("SIGKILL");
  expect(String((await reached)[0])).toBe(`at ${step}\n`);
}

it.each([
  ["before it asked Azure", "begun", { made: 0, left: 0, deleted: 0, lost: 1 }],
  ["between Azure's answer and its own", "created", { made: 1, left: 0, deleted: 1, lost: 0 }],
  [
    "while it answered, and the caller may know the id",
    "answering",
    { made: 1, left: 1, deleted: 0, lost: 1 },
  ],
])("killed %s", async (_when, step, { made, left, deleted, lost }) => {
  await killAt(step);
  await using living = await startReplica(emulator, { redisUrl: redis.url });
  const { told } = living;
  expect(emulator.identities.list()).toHaveLength(made);
  await until(() => told.deleted.length + told.lost.length > 0);
  expect(told.deleted).toHaveLength(deleted);
  expect(told.lost).toHaveLength(lost);
  expect(alive(emulator)).toHaveLength(left);
});
