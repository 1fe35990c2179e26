/** A deadline fires in time or with an earlier signal, whichever comes first, and leaves nothing behind. */
import { getEventListeners, once } from "node:events";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { startDeadline } from "../../../src/services/deadline";

const warnings: Error[] = [];
const onWarning = (warning: Error) => warnings.push(warning);
beforeAll(() => {
  process.on("warning", onWarning);
});
afterAll(() => {
  process.off("warning", onWarning);
});

it("fires when the time is over", async () => {
  using deadline = startDeadline(1, new AbortController().signal);
  await once(deadline.signal, "abort");
  expect(deadline.signal.reason).toMatchObject({ name: "TimeoutError" });
});

it("fires when the earlier signal does, with its reason, also when that has fired already", () => {
  const earlier = new AbortController();
  using before = startDeadline(60_000, earlier.signal);
  earlier.abort("gone");
  using after = startDeadline(60_000, earlier.signal);
  expect([before.signal.reason, after.signal.reason]).toEqual(["gone", "gone"]);
});

it("leaves no listener behind on a signal that outlives it, however many follow that, and warns of none", async () => {
  const lasting = new AbortController();
  const deadlines = Array.from({ length: 50 }, () => startDeadline(60_000, lasting.signal));
  await new Promise(setImmediate);
  expect(getEventListeners(lasting.signal, "abort")).toHaveLength(50);
  for (const deadline of deadlines) deadline[Symbol.dispose]();
  expect(getEventListeners(lasting.signal, "abort")).toHaveLength(0);
  lasting.abort();
  expect(deadlines.filter(({ signal }) => signal.aborted)).toHaveLength(0);
  expect(warnings).toEqual([]);
});
