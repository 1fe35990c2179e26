/** How the deletion of orphans is paced, and what becomes of them at the end. */
import { afterEach, beforeEach, expect, it, jest } from "@jest/globals";
import { GatewayError } from "../../../src/errors";
import { Orphans } from "../../../src/services/identities/orphans";
import type { CreateOutcome } from "../../../src/services/identities/create-outcome";

const identityId = "8:acs:00000000-0000-4000-8000-000000000001_orphan";
const timings = { firstRetryMs: 1_000, maxRetryMs: 8_000, drainMs: 2_000 };

beforeEach(() => {
  jest.useFakeTimers();
  jest.spyOn(Math, "random").mockReturnValue(1);
});
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

/** An ACS whose deletions end as `answers` say, in order; the last one stays. */
function world(answers: readonly ("ok" | "fails" | "hangs")[], deleteLater?: (id: string) => Promise<void>) {
  const attempts: number[] = [];
  const reported: unknown[] = [];
  const startedAt = performance.now();
  const deleteIdentity = (_id: string, { signal }: { readonly signal?: AbortSignal }) => {
    const answer = answers[Math.min(attempts.length, answers.length - 1)];
    attempts.push(performance.now() - startedAt);
    if (answer === "ok") return Promise.resolve();
    if (answer === "fails") return Promise.reject(new GatewayError("UPSTREAM_UNAVAILABLE", "ACS is away."));
    return new Promise<void>((_resolve, reject) => {
      signal?.addEventListener("abort", () => {
        reject(new Error("Aborted."));
      });
    });
  };
  const events = {
    orphanDeleted: () => reported.push("deleted"),
    createOutcomeUnknown: ({ cause }: { readonly cause: string }) => reported.push(cause),
  };
  const orphans = new Orphans({ deleteIdentity }, events, timings, deleteLater);
  return { orphans, attempts, reported };
}

it("deletes at once, and again after pauses that double up to the longest", async () => {
  const { orphans, attempts, reported } = world(["fails", "fails", "fails", "fails", "fails", "fails", "ok"]);
  void orphans.delete({ identityId });
  await jest.advanceTimersByTimeAsync(60_000);
  expect(attempts).toEqual([0, 1_000, 3_000, 7_000, 15_000, 23_000, 31_000]);
  expect(reported).toEqual(["deleted"]);
});

it("asks until it is known whether the identity is kept, and leaves a kept one alone", async () => {
  const { orphans, attempts, reported } = world(["ok"]);
  const isKept = jest
    .fn<(id: string) => Promise<boolean>>()
    .mockRejectedValueOnce(new Error("The directory is away."))
    .mockResolvedValue(true);
  void orphans.delete({ identityId, isKept });
  await jest.advanceTimersByTimeAsync(60_000);
  expect(isKept.mock.calls).toEqual([[identityId], [identityId]]);
  expect([attempts, reported]).toEqual([[], []]);
});

it("hands over to the directory what ACS does not delete at once", async () => {
  const later: string[] = [];
  const { orphans, attempts, reported } = world(["fails"], (id) => Promise.resolve(void later.push(id)));
  await orphans.delete({ identityId });
  await jest.advanceTimersByTimeAsync(60_000);
  expect([attempts.length, later, reported]).toEqual([1, [identityId], []]);
});

it("tries what waits once more when it closes, without waiting, and reports what fails again", async () => {
  const { orphans, attempts, reported } = world(["fails", "fails", "ok", "fails"]);
  void orphans.delete({ identityId });
  void orphans.delete({ identityId });
  await jest.advanceTimersByTimeAsync(0);
  await orphans[Symbol.asyncDispose]();
  expect(attempts).toEqual([0, 0, 0, 0]);
  expect(reported).toEqual(["deleted", "notDeleted"]);
});

it("gives up at the end of its time to close, and ignores what is answered later", async () => {
  const { orphans, attempts, reported } = world(["hangs"]);
  let answer!: (outcome: CreateOutcome) => void;
  orphans.awaitAnswer(new Promise((resolve) => (answer = resolve)), undefined);
  void orphans.delete({ identityId });
  const closing = orphans[Symbol.asyncDispose]();
  await jest.advanceTimersByTimeAsync(timings.drainMs - 1);
  expect(reported).toEqual([]);
  await jest.advanceTimersByTimeAsync(1);
  await closing;
  expect(reported.sort()).toEqual(["answerLost", "notDeleted"]);
  answer({ kind: "created", identityId, token: undefined });
  await jest.advanceTimersByTimeAsync(60_000);
  expect(attempts).toHaveLength(1);
  expect(reported).toHaveLength(2);
});
