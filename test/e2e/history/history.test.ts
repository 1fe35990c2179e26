/** Random histories on real processes while everything breaks: no revoked token comes back, nobody gets another's. */
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { patchedBuild, type PatchedBuild } from "../../support/gateway-process";
import { runSeed as seed } from "../../support/random";
import { describeViolation } from "./checker";
import { runHistory, type RunOptions, type RunReport } from "./run";

async function judged(options: Omit<RunOptions, "seed" | "gateways">): Promise<RunReport> {
  const report = await runHistory({ seed, gateways: 3, ...options });
  const { violations, ...figures } = report;
  console.log(JSON.stringify(figures, null, 2));
  const shortest = [...violations].sort((a, b) => a.history.length - b.history.length)[0];
  if (shortest && !options.build) {
    throw new Error(`SEED=${seed}: ${violations.length} violations, such as\n${describeViolation(shortest)}`);
  }
  expect(report.misdeeds).toEqual([]);
  expect(report.notRecovered).toEqual([]);
  return report;
}

/** Served tokens of which something can be learnt: a tenth of what a machine with time for it comes to. */
const enough = 150;
const served = ({ operations }: RunReport) =>
  (operations["issue OK CACHE"] ?? 0) + (operations["issue OK ISSUED"] ?? 0);

it(`serves no dead token while Redis, its network, gateways and Azure break (SEED=${seed})`, async () => {
  const report = await judged({ topology: "standalone", ms: 10_000, quietMs: [300, 1_000] });
  expect(served(report)).toBeGreaterThan(enough);
  expect(report.operations["revoke OK"]).toBeGreaterThan(10);
}, 60_000);

it(`serves no dead token through a failover by Sentinel (SEED=${seed})`, async () => {
  const faults = ["primary frozen until", "primary killed"];
  const report = await judged({ topology: "sentinel", ms: 9_000, faults, quietMs: [300, 600] });
  expect(served(report)).toBeGreaterThan(enough);
}, 120_000);

it(`serves no dead token through a failover of a Cluster (SEED=${seed})`, async () => {
  const faults = ["primary frozen until", "primary killed"];
  const report = await judged({ topology: "cluster", ms: 9_000, faults, quietMs: [300, 600] });
  expect(served(report)).toBeGreaterThan(enough);
}, 120_000);

let withoutGeneration: PatchedBuild;
beforeAll(() => {
  withoutGeneration = patchedBuild(
    "src/services/tokens/redis-scripts.js",
    "if known ~= ARGV[3] then return 'superseded' end\nlocal _, holder",
    "local _, holder",
  );
});
afterAll(() => {
  withoutGeneration[Symbol.dispose]();
});

it(`finds the dead tokens of a gateway that does not check the generation (SEED=${seed})`, async () => {
  // Revocations fit between Azure's work and its late answer again and again; a slow machine is given more time.
  const found = new Set<string>();
  for (let slice = 0; slice < 5 && !found.has("stale token"); slice++) {
    const { violations } = await judged({
      topology: "standalone",
      ms: 4_000,
      faults: [],
      build: withoutGeneration,
      late: { probability: 0.7, latencyMs: 300 },
      workload: { endings: { revoke: 0.15, delete: 0 }, identities: 2 },
    });
    for (const { rule } of violations) found.add(rule);
  }
  expect([...found]).toContain("stale token");
}, 90_000);
