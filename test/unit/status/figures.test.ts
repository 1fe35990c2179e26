/** How figures are measured, added up, averaged and remembered. */
import { describe, expect, it } from "@jest/globals";
import { History } from "../../../src/services/status/history";
import { percentile } from "../../../src/services/status/percentile";
import { ReplicaRegister } from "../../../src/services/status/replica-register";
import { Sampler } from "../../../src/services/status/sampler";
import {
  average,
  decodeTick,
  encodeTick,
  figuresOf,
  together,
  type Tick,
} from "../../../src/services/status/tick";
import { Metrics } from "../../../src/services/telemetry/metrics/metrics";

const bounds = { latency: [0.01, 0.1, 1], callLatency: [0.1, 1] };
const tick: Tick = {
  operations: 10,
  refusals: 1,
  failures: 0.5,
  cached: 6,
  issued: 2,
  joined: 1,
  calls: 3,
  callFailures: 0,
  inFlight: 4,
  connections: 5,
  memory: 1e8,
  busy: 0.5,
  latency: [5, 4, 1, 0],
  callLatency: [2, 1, 0],
};

describe("percentiles", () => {
  it("lie within the bucket that they are in, as Prometheus has it", () => {
    expect(percentile(0.5, bounds.latency, [5, 4, 1, 0])).toBeCloseTo(0.01);
    expect(percentile(0.25, bounds.latency, [5, 4, 1, 0])).toBeCloseTo(0.005);
    expect(percentile(0.95, bounds.latency, [5, 4, 1, 0])).toBeCloseTo(0.55);
    expect(percentile(0.99, bounds.latency, [0, 0, 0, 7])).toBe(1);
    expect(percentile(0.5, bounds.latency, [0, 0, 0, 0])).toBeUndefined();
    expect(percentile(0.5, bounds.latency, [])).toBeUndefined();
  });
});

describe("ticks", () => {
  it("add up over gateways, and average over time", () => {
    const other = { ...tick, operations: 30, busy: 0.9, latency: [0, 0, 10, 0] };
    expect(together([tick, other])).toMatchObject({
      operations: 40,
      memory: 2e8,
      busy: 0.9,
      latency: [5, 4, 11, 0],
    });
    expect(average([tick, other])).toMatchObject({
      operations: 20,
      memory: 1e8,
      busy: 0.7,
      latency: [2.5, 2, 5.5, 0],
    });
    expect(together([])).toBeUndefined();
  });

  it("are what was sent when they are read by another gateway", () => {
    expect(decodeTick(JSON.parse(JSON.stringify(encodeTick(tick))))).toEqual(tick);
  });

  it.each([
    [null],
    ["text"],
    [[]],
    [[[1], [2], [3]]],
    [[[1], [2]]],
    [[Array(12).fill("1"), [], []]],
    [{ length: 3 }],
  ])("are nothing when another version sent %j", (value) => {
    expect(decodeTick(value)).toBeUndefined();
  });

  it("tell the share of hits, and nothing where nothing was measured", () => {
    expect(figuresOf(tick, bounds)).toMatchObject({ hitRatio: 0.75, p95: 550 });
    const idle = { ...tick, cached: 0, issued: 0, latency: [] };
    expect(figuresOf(idle, bounds)).toMatchObject({ hitRatio: null, p50: null, p99: null });
  });
});

it("the history forgets the oldest, and keeps what there was nothing to measure of", () => {
  const history = new History(3);
  expect(history.series(0).age).toEqual([]);
  for (let second = 1; second <= 5; second++) {
    const measured = figuresOf(
      { ...tick, operations: second, latency: second === 4 ? [] : tick.latency },
      bounds,
    );
    history.add(second * 1_000, measured);
  }
  const { age, figures } = history.series(6_000);
  expect(age).toEqual([3, 2, 1]);
  expect(figures.operations).toEqual([3, 4, 5]);
  expect(figures.p95).toEqual([550, null, 550]);
});

describe("the sampler", () => {
  const self = { id: "one", host: "here", version: "1.0.0", startedAt: 0 };
  const sampling = (intervalMs: number) => {
    const metrics = new Metrics({ version: "1.0.0", node: "v20" });
    const time = { now: 0 };
    const register = new ReplicaRegister(self, undefined, () => undefined);
    const faults: unknown[] = [];
    const figures = () => ({ memory: 1e8, busy: 0.25 });
    const pace = { intervalMs, now: () => time.now };
    const sampler = new Sampler(metrics, register, figures, (error) => faults.push(error), pace);
    return { metrics, time, sampler, faults };
  };

  it("counts in a look what happened since the one before, once", async () => {
    const { metrics, time, sampler, faults } = sampling(1e6);
    metrics.tokenServed("cache");
    metrics.operationEnded("issueToken", "ok", 0.002);
    await sampler.start();
    // Nobody knows when that was.
    expect(sampler.now("own")).toBeUndefined();
    for (let count = 0; count < 8; count++) metrics.tokenServed("cache");
    for (let count = 0; count < 6; count++) metrics.operationEnded("issueToken", "ok", 0.002);
    metrics.operationEnded("issueToken", "RATE_LIMITED", 0.002);
    metrics.operationEnded("issueToken", "UPSTREAM_UNAVAILABLE", 2);
    metrics.upstreamCall("acs", "issueToken", "refused", 0.1);
    metrics.upstreamCall("acs", "issueToken", "throttled", 0.1);
    time.now = 2_000;
    await sampler.look();
    expect(sampler.now("own")).toMatchObject({
      cached: 4,
      issued: 0,
      operations: 4,
      refusals: 0.5,
      failures: 0.5,
      calls: 1,
      callFailures: 0.5,
      busy: 0.25,
    });
    time.now = 4_000;
    await sampler.look();
    const { figures, age } = sampler.history("own", "short");
    expect(age).toEqual([2, 0]);
    expect(figures.cached).toEqual([4, 0]);
    expect(figures.p50[1]).toBeNull();
    // Alone, it is the whole fleet, whose figures are means of some looks.
    expect(sampler.history("fleet", "short").figures.cached).toEqual([4, 2]);
    expect(faults).toEqual([]);
    await sampler[Symbol.asyncDispose]();
  });

  it("remembers an hour in points of four looks, and five minutes for the tables", async () => {
    const { metrics, time, sampler } = sampling(1e6);
    await sampler.start();
    for (let look = 1; look <= 1_500; look++) {
      metrics.tokenServed("issued");
      metrics.operationEnded("viewer", "ok", 0.002);
      time.now = look * 3_000;
      await sampler.look();
    }
    const short = sampler.history("own", "short");
    expect([short.age.length, short.age[0]]).toEqual([300, 897]);
    const long = sampler.history("own", "long");
    expect([long.age.length, long.age[0]]).toEqual([300, 3_588]);
    expect(long.figures.issued[0]).toBeCloseTo(1 / 3, 3);
    const window = sampler.window();
    expect(window?.seconds).toBeGreaterThanOrEqual(285);
    expect(window?.seconds).toBeLessThanOrEqual(315);
    const [series] = [...(window?.counted.get("operation_duration_seconds")?.values() ?? [])];
    expect(series?.value).toBe((window?.seconds ?? 0) / 3);
    await sampler[Symbol.asyncDispose]();
  });
});
