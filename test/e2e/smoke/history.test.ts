/** Five seconds of faults on three replicas, and the proof that a history finds the gateway that serves dead tokens. */
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { patchedBuild, type PatchedBuild } from "../../support/gateway-process";
import { runSeed as seed } from "../../support/random";
import { enough, judged, served } from "../history/judged";

it(`serves no dead token while Redis, its network, gateways and Azure break (SEED=${seed})`, async () => {
  const report = await judged({ topology: "standalone", ms: 5_000, quietMs: [300, 1_000] });
  expect(served(report)).toBeGreaterThan(enough / 2);
  expect(report.operations["revoke OK"]).toBeGreaterThan(5);
}, 60_000);

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
