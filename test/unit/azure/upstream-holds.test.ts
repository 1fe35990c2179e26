/** When Azure refuses although there was a turn: everybody waits for its word, and without one a single request finds out. */
import { expect, it } from "@jest/globals";
import { GatewayError } from "../../../src/errors";
import { UpstreamBudget } from "../../../src/services/azure/upstream-budget";
import { until } from "../../support/until";

const budgetOf = (issuances: number, windowMs: number) =>
  new UpstreamBudget({ issuances, windowMs, replicas: 1 });
const turn = (budget: UpstreamBudget, patienceMs = 0, signal?: AbortSignal) =>
  budget.turn("issueToken", { patienceMs, signal });
const outcome = (budget: UpstreamBudget, patienceMs = 0) =>
  turn(budget, patienceMs).then(
    (pass) => {
      pass[Symbol.dispose]();
      return "turn";
    },
    (error: unknown) => (error instanceof GatewayError ? error.code : String(error)),
  );

it("lets somebody else find out when the one who was to has left while it waited for its turn", async () => {
  const budget = budgetOf(2, 300);
  const [one, two] = [await turn(budget), await turn(budget)];
  one.refused(undefined);
  const leaving = new AbortController();
  const probe = turn(budget, 5_000, leaving.signal);
  leaving.abort();
  await expect(probe).rejects.toMatchObject({ name: "AbortError" });
  for (const pass of [one, two]) pass[Symbol.dispose]();
  await until(async () => (await outcome(budget)) === "turn");
});

it("gives the turns of a Retry-After's end under the limit, as any others", async () => {
  const budget = budgetOf(10, 60_000);
  const first = await turn(budget);
  first.refused(200);
  const outcomes = await Promise.all(Array.from({ length: 30 }, () => outcome(budget, 1_000)));
  expect(outcomes.filter((what) => what === "turn")).toHaveLength(9);
  expect(outcomes.filter((what) => what === "RATE_LIMITED")).toHaveLength(21);
});

it("takes refusals of what was under way together for one, and asks again at once", async () => {
  const budget = budgetOf(100, 60_000);
  const passes = await Promise.all(Array.from({ length: 20 }, () => turn(budget)));
  for (const pass of passes) pass.refused(undefined);
  expect(await outcome(budget)).toBe("turn");
});

it("asks after growing pauses, one at a time, while Azure refuses who finds out", async () => {
  const budget = budgetOf(100, 60_000);
  (await turn(budget)).refused(undefined);
  const probe = await turn(budget);
  expect(await outcome(budget)).toBe("RATE_LIMITED");
  probe.refused(undefined);
  probe[Symbol.dispose]();
  // A pause of one second now, that nobody asks in.
  expect(await outcome(budget)).toBe("RATE_LIMITED");
});

it("does not take an answer to an earlier request for the end of a refusal", async () => {
  const budget = budgetOf(100, 60_000);
  const [refused, slow] = [await turn(budget), await turn(budget)];
  refused.refused(3_600_000);
  slow.answered();
  const probe = await turn(budget);
  expect(await outcome(budget)).toBe("RATE_LIMITED");
  probe.answered();
  expect(await outcome(budget)).toBe("turn");
});
