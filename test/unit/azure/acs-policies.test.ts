/** Deadlines, retries, circuits, Retry-After and connections of calls to ACS, in virtual time. */
import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { GatewayError } from "../../../src/errors";
import { AcsPolicies, type Attempt, type CallTerms } from "../../../src/services/azure/acs-policies";
import { defaultRateLimits } from "../../../src/services/azure/rate-limiter";
import { UpstreamFailure } from "../../../src/services/azure/upstream-failure";
import type { Operation } from "../../../src/services/azure/upstream-operation";

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const repeatable: CallTerms = { attempts: 3, deadlineMs: 10_000, startMs: 8_000 };
const create: CallTerms = { attempts: 1, deadlineMs: 60_000, startMs: 8_000, overdueMs: 10_000 };

/** A failed call with this status, as the SDK reports it. */
const failure = (statusCode?: number, headers: Record<string, string> = {}) =>
  new UpstreamFailure(
    { statusCode, response: { headers: { get: (name: string) => headers[name] } } },
    Date.now(),
  );

/** What became of a call: its value, the status of ACS, or a code of ours with its wait. */
function outcomeOf(call: Promise<unknown>): { current: unknown } {
  const outcome: { current: unknown } = { current: "pending" };
  call.then(
    (value) => (outcome.current = value),
    (error: unknown) => {
      if (error instanceof UpstreamFailure) outcome.current = error.status ?? "no answer";
      else if (error instanceof GatewayError)
        outcome.current = `${error.code} ${error.extensions.retryAfterSeconds ?? ""}`.trim();
      else outcome.current = (error as Error).name;
    },
  );
  return outcome;
}

function start(maxConnections = 100) {
  const circuits: string[] = [];
  const policies = new AcsPolicies(maxConnections, defaultRateLimits, undefined, "resource", {
    upstreamCircuit: ({ operation, state }) => circuits.push(`${operation} ${state}`),
    budgetUnavailable: () => undefined,
  });
  const run = <T>(
    send: Attempt<T>,
    terms: Partial<CallTerms> = {},
    operation: Operation = "issueToken",
  ): { current: unknown } => outcomeOf(policies.run(operation, { ...repeatable, ...terms }, send));
  return { policies, circuits, run };
}

const advance = (ms: number) => jest.advanceTimersByTimeAsync(ms);
const hang = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => {
      reject(failure());
    });
  });
/** Answers as the test says, in the order in which it is called. */
function script(...answers: (number | "ok" | "hang" | UpstreamFailure)[]) {
  const calls: number[] = [];
  const send: Attempt<string> = (signal) => {
    const answer = answers[Math.min(calls.length, answers.length - 1)];
    calls.push(performance.now());
    if (answer === "hang") return hang(signal);
    if (answer === "ok") return Promise.resolve("ok");
    return Promise.reject(answer instanceof UpstreamFailure ? answer : failure(answer));
  };
  return { send, calls };
}

describe("attempts", () => {
  it("are three at most, with short pauses between them", async () => {
    const [recovers, fails] = [script(500, 503, "ok"), script(500)];
    const outcomes = [start().run(recovers.send), start().run(fails.send)];
    await advance(1_000);
    expect(outcomes.map(({ current }) => current)).toEqual(["ok", 500]);
    expect([recovers.calls.length, fails.calls.length]).toEqual([3, 3]);
  });

  it("are one for what must not be repeated, and for what ACS has refused for good reason", async () => {
    const { run } = start();
    const [created, refused] = [script(500), script(403)];
    const outcomes = [run(created.send, create, "createIdentity"), run(refused.send)];
    await advance(60_000);
    expect(outcomes.map(({ current }) => current)).toEqual([500, 403]);
    expect([created.calls.length, refused.calls.length]).toEqual([1, 1]);
  });

  it("that hang leave time for a second one, and end at the deadline", async () => {
    const { run } = start();
    const [recovers, hangs] = [script("hang", "ok"), script("hang")];
    const outcomes = [run(recovers.send), run(hangs.send)];
    await advance(4_499);
    expect([recovers.calls.length, hangs.calls.length]).toEqual([1, 1]);
    await advance(500);
    expect(outcomes.map(({ current }) => current)).toEqual(["ok", "pending"]);
    await advance(5_001);
    expect(outcomes[1]!.current).toBe("no answer");
    expect(hangs.calls).toHaveLength(2);
  });

  it("end when their caller leaves, which says nothing against ACS", async () => {
    const { run, circuits } = start();
    const caller = new AbortController();
    const calls = Array.from({ length: 10 }, () =>
      run(
        (signal) =>
          new Promise((_, reject) => {
            signal.addEventListener("abort", () => {
              reject(new UpstreamFailure(signal.reason, 0, true));
            });
          }),
        { signal: caller.signal },
      ),
    );
    await advance(100);
    caller.abort();
    await advance(0);
    expect(calls.map(({ current }) => current)).toEqual(Array(10).fill("AbortError"));
    expect(circuits).toEqual([]);
  });

  it("of a create go on after the deadline of its caller, so that the identity's id is heard", async () => {
    const { run, circuits } = start();
    const late = () => new Promise((resolve) => setTimeout(resolve, 40_000, "id"));
    const calls = Array.from({ length: 5 }, () => run(late, create, "createIdentity"));
    await advance(10_001);
    // From the deadline on ACS counts as being in trouble.
    expect(circuits).toEqual(["createIdentity open"]);
    expect(calls.map(({ current }) => current)).toEqual(Array(5).fill("pending"));
    await advance(29_999);
    expect(calls.map(({ current }) => current)).toEqual(Array(5).fill("id"));
  });
});

describe("the circuit breaker", () => {
  const unavailable = (seconds: number) => `UPSTREAM_UNAVAILABLE ${seconds}`;
  const once = { attempts: 1 };

  it("opens after failures, refuses early, probes with one call after growing pauses, and closes", async () => {
    const { run, circuits, policies } = start();
    const fails = script(500);
    for (let count = 0; count < 5; count++) {
      run(fails.send, once);
      await advance(0);
    }
    expect(circuits).toEqual(["issueToken open"]);
    expect(policies.isFailing).toBe(true);
    for (const pauseS of [1, 2, 4, 8, 15, 15]) {
      const sent = fails.calls.length;
      // The first, short pause is waited out by who can wait.
      const patient = pauseS === 1 ? run(script("ok").send, once) : undefined;
      const refused = run(fails.send, { ...once, startMs: pauseS === 1 ? 0 : 8_000 });
      await advance(0);
      expect(patient?.current ?? "pending").toBe("pending");
      expect(refused.current).toBe(unavailable(pauseS));
      await advance(pauseS * 1_000);
      const [probe, other] = [run(fails.send, once), run(fails.send, once)];
      await advance(0);
      expect(probe.current).toBe(500);
      expect(other.current).toMatch(/^UPSTREAM_UNAVAILABLE/);
      expect(fails.calls.length - sent).toBe(1);
    }
    await advance(15_000);
    const outcomes = Array.from({ length: 10 }, () => run(script("ok").send, once));
    await advance(0);
    expect(outcomes.map(({ current }) => current)).toEqual(Array(10).fill("ok"));
    expect(circuits.at(-1)).toBe("issueToken closed");
    expect(policies.isFailing).toBe(false);
  });

  it("is each operation's own, and is stale a minute after anybody could have tried again", async () => {
    const { run, policies } = start();
    for (let count = 0; count < 5; count++) run(script(500).send, once);
    await advance(0);
    const revoked = run(script("ok").send, once, "revokeTokens");
    await advance(0);
    expect(revoked.current).toBe("ok");
    const open = (await policies.readings()).filter(({ circuitOpen }) => circuitOpen);
    expect(open.map(({ operation }) => operation)).toEqual(["issueToken"]);
    await advance(60_000);
    expect(policies.isFailing).toBe(true);
    await advance(1_001);
    expect(policies.isFailing).toBe(false);
  });

  it("stays closed while ACS refuses for good reason", async () => {
    const { run, circuits } = start();
    for (const status of [400, 401, 403, 404, 429]) {
      for (let count = 0; count < 10; count++) run(script(status).send, once);
      await advance(60_000);
    }
    expect(circuits).toEqual([]);
  });

  it("does not close because the caller of its probe has left", async () => {
    const { run, circuits } = start();
    for (let count = 0; count < 5; count++) run(script(500).send, once);
    await advance(1_000);
    const caller = new AbortController();
    const leaves = () =>
      new Promise((_, reject) => {
        caller.signal.addEventListener("abort", () => {
          reject(new UpstreamFailure(caller.signal.reason, 0, true));
        });
      });
    run(leaves, { ...once, signal: caller.signal });
    await advance(0);
    caller.abort();
    await advance(0);
    expect(circuits).not.toContain("issueToken closed");
    await advance(2_000);
    run(script("ok").send, once);
    await advance(0);
    expect(circuits.at(-1)).toBe("issueToken closed");
  });
});

describe("a 429", () => {
  const once = { attempts: 1 };
  const after = (seconds: number) => failure(429, { "retry-after": String(seconds) });

  it("is waited out by all who can wait, and others are refused with its Retry-After", async () => {
    const { run } = start();
    const refused = script(after(3), "ok");
    const retried = run(refused.send);
    await advance(0);
    const [patient, impatient] = [run(script("ok").send), run(script("ok").send, { startMs: 2_000 })];
    await advance(1);
    expect(impatient.current).toBe("RATE_LIMITED 3");
    expect([retried.current, patient.current]).toEqual(["pending", "pending"]);
    await advance(3_500);
    expect([retried.current, patient.current]).toEqual(["ok", "ok"]);
    expect(refused.calls[1]! - refused.calls[0]!).toBeGreaterThanOrEqual(3_000);
  });

  it.each([
    ["without Retry-After", () => 429],
    ["that asks for an hour", () => after(3_600)],
  ])("%s pauses the calls for growing times, and one call at a time finds out", async (_what, refusal) => {
    const { run } = start();
    const refuses = script(refusal());
    run(refuses.send);
    await advance(1_000);
    // The second is sent at once, as nothing is known of how long to wait.
    expect(refuses.calls).toHaveLength(1);
    run(refuses.send, once);
    await advance(0);
    expect(refuses.calls).toHaveLength(2);
    for (const pauseS of [1, 2, 4, 8, 15, 30, 30]) {
      const early = run(refuses.send, { ...once, startMs: 0 });
      await advance(0);
      expect(early.current).toBe(`RATE_LIMITED ${pauseS}`);
      await advance(pauseS * 1_000);
      const sent = refuses.calls.length;
      for (let count = 0; count < 20; count++) run(refuses.send, { ...once, startMs: 0 });
      await advance(0);
      expect(refuses.calls.length - sent).toBe(1);
    }
  });

  it("to calls that were under way together is one refusal, which earlier answers do not end", async () => {
    const { run } = start();
    const slow = (value: "ok" | Error, ms: number) => () =>
      new Promise<unknown>((resolve, reject) => {
        setTimeout(() => {
          if (value === "ok") resolve(value);
          else reject(value);
        }, ms);
      });
    run(slow(after(1), 10), once);
    run(slow(after(1), 11), once);
    run(slow("ok", 12), once);
    await advance(20);
    const next = run(script("ok").send, { ...once, startMs: 0 });
    await advance(0);
    expect(next.current).toBe("RATE_LIMITED 1");
  });
});

describe("connections", () => {
  const hanging = () => new Promise<never>(() => undefined);

  it("of an operation are half of all, so that creates that hang leave some to the others", async () => {
    const { run } = start(8);
    let sent = 0;
    const hangs = () => {
      sent++;
      return hanging();
    };
    const calls = Array.from({ length: 10 }, (_, index) =>
      run(hangs, create, index % 2 === 0 ? "createIdentity" : "createIdentityWithToken"),
    );
    await advance(0);
    expect(sent).toBe(4);
    const others = (["issueToken", "revokeTokens", "deleteIdentity"] as const).map((operation) =>
      run(script("ok").send, {}, operation),
    );
    await advance(0);
    expect(others.map(({ current }) => current)).toEqual(["ok", "ok", "ok"]);
    // Who has found no connection in time has sent nothing, and never will.
    await advance(8_000);
    expect(calls.filter(({ current }) => current === "UPSTREAM_UNAVAILABLE 1")).toHaveLength(6);
    await advance(60_000);
    expect(sent).toBe(4);
  });

  it("are waited for in order, which nobody holds against ACS", async () => {
    const { run, circuits } = start(2);
    const order: number[] = [];
    const calls = Array.from({ length: 10 }, (_, index) =>
      run(async () => {
        await new Promise((resolve) => setTimeout(resolve, 700));
        order.push(index);
        return index;
      }),
    );
    await advance(7_000);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(calls.map(({ current }) => current)).toEqual(order);
    expect(circuits).toEqual([]);
  });

  it("go to the next in line when one who waited has left", async () => {
    const { run } = start(2);
    const caller = new AbortController();
    run(() => new Promise((resolve) => setTimeout(resolve, 1_000)));
    const left = run(script("ok").send, { signal: caller.signal });
    const next = run(script("ok").send);
    await advance(10);
    caller.abort();
    await advance(0);
    expect([left.current, next.current]).toEqual(["AbortError", "pending"]);
    await advance(1_000);
    expect(next.current).toBe("ok");
  });
});
