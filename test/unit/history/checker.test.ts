/** The checker finds what it is for, and nothing else. */
import { expect, it } from "@jest/globals";
import { check, describeViolation, type TokenTruth } from "../../e2e/history/checker";
import type { EndingEntry, HistoryEntry, IssueEntry } from "../../e2e/history/history";

const issue = (start: number, end: number, more: Partial<IssueEntry> = {}): IssueEntry => ({
  kind: "issue",
  identityId: "someone",
  replica: 0,
  start,
  end,
  outcome: "OK",
  key: "someone CHAT 60",
  scopes: ["chat"],
  forced: false,
  token: "t1",
  source: "ISSUED",
  ...more,
});
const revoke = (start: number, end: number, more: Partial<EndingEntry> = {}): EndingEntry => ({
  kind: "revoke",
  identityId: "someone",
  replica: 1,
  start,
  end,
  outcome: "OK",
  ...more,
});
const truthOf = (tokens: Record<string, Partial<TokenTruth>>) => (token: string) =>
  tokens[token] && { identityId: "someone", scopes: ["chat"], ...tokens[token] };
const rules = (
  history: HistoryEntry[],
  tokens: Record<string, Partial<TokenTruth>>,
  faults = [] as never[],
) => check(history, faults, truthOf(tokens)).map(({ rule }) => rule);

it("finds a dead token that was answered to a request that began after the revocation had answered", () => {
  const history = [issue(0, 5), revoke(10, 20), issue(21, 22, { source: "CACHE", replica: 2 })];
  const violations = check(history, [], truthOf({ t1: { killedAt: 15 } }));
  expect(violations).toHaveLength(1);
  expect(violations[0]?.history).toEqual(history);
  expect(describeViolation(violations[0]!)).toContain("gateway 2  issue someone CHAT 60 CACHE -> OK");
});

it("allows a dead token to who began before the answer, or after one that confirmed nothing", () => {
  const dead = { t1: { killedAt: 15 } };
  expect(rules([issue(0, 5), revoke(10, 20), issue(19, 30, { source: "CACHE" })], dead)).toEqual([]);
  const unconfirmed = revoke(10, 20, { outcome: "CACHE_UNAVAILABLE" });
  expect(rules([issue(0, 5), unconfirmed, issue(21, 30, { source: "CACHE" })], dead)).toEqual([]);
  expect(rules([issue(0, 5), revoke(10, 20), issue(21, 30)], { t1: { killedAt: 25 } })).toEqual([]);
});

it("finds a token of somebody else, of other scopes, or of nobody", () => {
  expect(rules([issue(0, 5)], { t1: { identityId: "other" } })).toEqual(["foreign token"]);
  expect(rules([issue(0, 5)], { t1: { scopes: ["voip"] } })).toEqual(["foreign token"]);
  expect(rules([issue(0, 5)], {})).toEqual(["foreign token"]);
});

it("finds two calls for one key at once, unless it was forced, or a revocation or a fault was near", () => {
  const tokens = { t1: {}, t2: {} };
  const two = [issue(0, 10), issue(5, 15, { token: "t2", replica: 1 })];
  expect(rules(two, tokens)).toEqual(["two calls"]);
  expect(rules([issue(0, 10), issue(11, 15, { token: "t2" })], tokens)).toEqual([]);
  expect(rules([issue(0, 10), issue(5, 15, { token: "t2", forced: true })], tokens)).toEqual([]);
  expect(rules([...two, revoke(8, 9)], tokens)).toEqual([]);
  expect(rules([...two, revoke(-90, -80, { outcome: "NETWORK" })], tokens)).toEqual([]);
  const fault = [{ fault: "kill", start: -100, end: -90 }];
  expect(check(two, fault, truthOf(tokens))).toEqual([]);
});
