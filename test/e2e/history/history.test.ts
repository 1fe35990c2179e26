/** Random histories on real processes while everything breaks: no revoked token comes back, nobody gets another's. */
import { expect, it } from "@jest/globals";
import { runSeed as seed } from "../../support/random";
import { enough, judged, served } from "./judged";

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
