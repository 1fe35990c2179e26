/** A thread that says when requests are due. It sleeps to within a tenth of a millisecond, which timers of Node do not. */
import { parentPort, workerData } from "node:worker_threads";
import { now } from "./clock.mjs";

const { startAt, intervalMs, count } = workerData;
const never = new Int32Array(new SharedArrayBuffer(4));

for (let due = 0; due < count;) {
  const waitMs = startAt + due * intervalMs - now();
  if (waitMs > 0) Atomics.wait(never, 0, 0, waitMs);
  const reached = Math.min(count, Math.floor((now() - startAt) / intervalMs) + 1);
  if (reached <= due) continue;
  due = reached;
  parentPort.postMessage(due);
}
