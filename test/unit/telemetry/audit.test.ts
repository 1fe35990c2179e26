/** What the audit leaves out of a caller that asks again and again at a limit. */
import { afterEach, beforeEach, expect, it, jest } from "@jest/globals";
import { systemClock } from "../../../src/services/clock";
import { createAudit, type AuditRecord } from "../../../src/services/telemetry/audit";

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const alice = { kind: "user", name: "alice", user: { issuer: "https://issuer" } };
const refused: AuditRecord = { action: "token.issue", outcome: "RATE_LIMITED", caller: alice };

it("has the first refusal of a caller at a limit, and the last with the number of all that followed, every minute", async () => {
  const lines: string[] = [];
  const stream = { write: (some: string) => void lines.push(...some.trimEnd().split("\n")) };
  const audit = createAudit("stdout", systemClock, stream);
  const told = () => {
    audit.flush();
    return lines.splice(0).map((line) => JSON.parse(line) as object);
  };
  for (let time = 0; time < 5; time++) audit.record({ ...refused, requestId: `request-${time}` });
  audit.record({ ...refused, action: "token.revoke" });
  audit.record({ ...refused, caller: { ...alice, name: "bob" } });
  audit.record({ ...refused, caller: { ...alice, user: { issuer: "https://another" } } });
  audit.record({ ...refused, outcome: "ok" });
  audit.record({ ...refused, outcome: "ok" });
  const line = { action: "token.issue", outcome: "RATE_LIMITED", caller: { name: "alice" } };
  const first = told();
  expect(first).toMatchObject([
    { ...line, requestId: "request-0" },
    { ...line, action: "token.revoke" },
    { ...line, caller: { name: "bob" } },
    { ...line, caller: { issuer: "https://another" } },
    { ...line, outcome: "ok" },
    { ...line, outcome: "ok" },
  ]);
  for (const each of first) expect(each).not.toHaveProperty("times");
  await jest.advanceTimersByTimeAsync(59_000);
  expect(told()).toEqual([]);
  await jest.advanceTimersByTimeAsync(1_000);
  expect(told()).toMatchObject([{ ...line, requestId: "request-4", times: 4 }]);
  await jest.advanceTimersByTimeAsync(60_000);
  expect(told()).toEqual([]);
  audit.record(refused);
  expect(told()).toMatchObject([line]);
});
