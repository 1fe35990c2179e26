/** Permits of one process: never more than the limit in a window, in order, refused early, all in virtual time. */
import { afterEach, beforeEach, expect, it, jest } from "@jest/globals";
import fc from "fast-check";
import { GatewayError } from "../../../src/errors";
import { RateLimiter } from "../../../src/services/azure/rate-limiter";
import { SlidingWindow } from "../../../src/services/azure/sliding-window";

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const limiterOf = (issuances: number, windowMs: number) =>
  new RateLimiter("issueToken", { issuances, windowMs, replicas: 1 });
const codeOf = (error: unknown) => (error instanceof GatewayError ? error.code : String(error));

it("gives permits in order, never more than the limit in a window, none beyond the patience", () => {
  const windowMs = 1_000;
  const requests = fc.array(
    fc.record({
      pauseMs: fc.integer({ min: 0, max: 400 }),
      patienceMs: fc.integer({ min: 0, max: 3_000 }),
      background: fc.boolean(),
    }),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(requests, fc.integer({ min: 1, max: 12 }), (asked, limit) => {
      const window = new SlidingWindow(windowMs, limit);
      const permits: number[] = [];
      let now = 0;
      for (const { pauseMs, patienceMs, background } of asked) {
        now += pauseMs;
        const part = background ? Math.max(1, Math.floor(limit / 2)) : limit;
        const { granted, waitMs } = window.reserve(now, part, patienceMs);
        if (granted) {
          expect(waitMs).toBeLessThanOrEqual(patienceMs);
          permits.push(now + waitMs);
        } else expect(waitMs).toBeGreaterThan(patienceMs);
        const inWindow = permits.filter((permit) => permit > now - windowMs).length;
        expect(Math.min(window.used(now), limit)).toBe(Math.min(inWindow, limit));
      }
      for (let index = 1; index < permits.length; index++) {
        expect(permits[index]).toBeGreaterThanOrEqual(permits[index - 1]!);
        const edge = permits[index - limit];
        if (edge !== undefined) expect(permits[index]! - edge).toBeGreaterThanOrEqual(windowMs);
      }
    }),
  );
});

it("serves a burst of ten times the limit in nine windows, which is the least, 3 % longer than those of ACS", async () => {
  const limiter = limiterOf(100, 1_000);
  const startedAt = performance.now();
  const sentAt: number[] = [];
  const all = Promise.all(
    Array.from({ length: 1_000 }, async () => {
      await limiter.acquire({ patienceMs: 60_000 });
      sentAt.push(performance.now() - startedAt);
    }),
  );
  await jest.advanceTimersByTimeAsync(0);
  expect(await limiter.reading()).toEqual({ limit: 100, remaining: 0, queued: 900 });
  await jest.advanceTimersByTimeAsync(10_000);
  await all;
  await jest.advanceTimersByTimeAsync(1_030);
  expect(sentAt).toEqual(sentAt.map((_, index) => Math.floor(index / 100) * 1_030));
  expect(await limiter.reading()).toEqual({ limit: 100, remaining: 100, queued: 0 });
});

it("refuses at once those whose permit would come too late, and says how long to wait", async () => {
  const limiter = limiterOf(20, 2_000);
  const outcomes: (string | number | undefined)[] = [];
  const all = Promise.all(
    Array.from({ length: 60 }, () =>
      limiter.acquire({ patienceMs: 2_500 }).then(
        () => outcomes.push("permit"),
        (error: unknown) => outcomes.push((error as GatewayError).extensions.retryAfterSeconds),
      ),
    ),
  );
  await jest.advanceTimersByTimeAsync(0);
  // Twenty go at once, twenty are told to come back in two windows, and twenty wait.
  expect(outcomes).toHaveLength(40);
  expect(outcomes.filter((outcome) => outcome === 5)).toHaveLength(20);
  await jest.advanceTimersByTimeAsync(2_060);
  await all;
  expect(outcomes.filter((outcome) => outcome === "permit")).toHaveLength(40);
});

it("leaves half of the limit to those who wait, whatever runs in the background", async () => {
  const limiter = limiterOf(10, 60_000);
  const acquire = (background: boolean, patienceMs = 0) =>
    limiter.acquire({ patienceMs, background }).then(() => "permit", codeOf);
  const outcomes = async (count: number, background: boolean, patienceMs?: number) => {
    const all = [];
    for (let index = 0; index < count; index++) all.push(await acquire(background, patienceMs));
    return all.filter((outcome) => outcome === "permit").length;
  };
  // Background calls do not wait, however long they might.
  expect(await outcomes(8, true, 100_000)).toBe(5);
  expect(await outcomes(8, false)).toBe(5);
});

it("stops waiting when its caller does", async () => {
  const limiter = limiterOf(1, 60_000);
  await limiter.acquire({ patienceMs: 0 });
  const caller = new AbortController();
  const waiting = expect(
    limiter.acquire({ patienceMs: 100_000, signal: caller.signal }),
  ).rejects.toMatchObject({ name: "AbortError" });
  await jest.advanceTimersByTimeAsync(1_000);
  caller.abort();
  await waiting;
  expect((await limiter.reading()).queued).toBe(0);
});
