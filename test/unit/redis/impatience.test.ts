/** Who waits for Redis does not blame it for being busy himself. */
import { afterEach, expect, it } from "@jest/globals";
import { impatience } from "../../../src/services/redis/impatience";
import { until } from "../../support/until";

let cancel: () => void = () => undefined;
afterEach(() => {
  cancel();
});

/** Keeps the process from doing anything else. */
function holdUp(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

it("expires after its time", async () => {
  const startedAt = performance.now();
  let expiredAt = 0;
  cancel = impatience(50, () => (expiredAt = performance.now()));
  await until(() => expiredAt > 0);
  expect(expiredAt - startedAt).toBeGreaterThanOrEqual(49);
});

it("waits once more when the process was held up, and again not for ever", async () => {
  let expired = false;
  cancel = impatience(50, () => (expired = true));
  const turns: boolean[] = [];
  for (let round = 0; round < 3; round++) {
    holdUp(200);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    turns.push(expired);
  }
  expect(turns).toEqual([false, false, false]);
  await until(() => {
    holdUp(200);
    return expired;
  });
});

it("does not expire once it is cancelled, even when its time is over", async () => {
  let expired = false;
  cancel = impatience(20, () => (expired = true));
  holdUp(25);
  cancel();
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(expired).toBe(false);
});
