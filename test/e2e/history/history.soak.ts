/** A long history with every fault there is; `npm run soak` runs it. */
import { writeFileSync } from "node:fs";
import { expect, it } from "@jest/globals";
import { runSeed as seed } from "../../support/random";
import type { Topology } from "./arena";
import { describeViolation, type Violation } from "./checker";
import { runHistory } from "./run";
import { growthsOf } from "./vital-signs";

const minutes = Number(process.env.SOAK_MINUTES ?? 1);
const topology = (process.env.SOAK_TOPOLOGY ?? "standalone") as Topology;

it(`keeps its promise for ${minutes} minutes on ${topology} (SEED=${seed})`, async () => {
  const startedAt = Date.now();
  const tell = (text: string) => {
    process.stderr.write(`${((Date.now() - startedAt) / 1000).toFixed(0).padStart(6)} s  ${text}\n`);
  };
  tell(`${topology}, ${minutes} minutes, SEED=${seed}`);
  const report = await runHistory({
    topology,
    gateways: 3,
    spared: 2,
    seed,
    ms: minutes * 60_000,
    progress: tell,
    workload: { thinkMs: Number(process.env.SOAK_THINK_MS ?? 60) },
  });
  const { violations, ...figures } = report;
  const byRule: Record<string, number> = { "stale token": 0, "foreign token": 0, "two calls": 0 };
  for (const { rule } of violations) byRule[rule] = (byRule[rule] ?? 0) + 1;
  const text = JSON.stringify({ ...figures, violations: byRule }, null, 2);
  process.stdout.write(`${text}\n`);
  if (process.env.SOAK_REPORT) writeFileSync(process.env.SOAK_REPORT, `${text}\n`);
  // The gravest first: a second call costs money, the others somebody's trust.
  const gravity = ({ rule }: Violation) => (rule === "two calls" ? 1 : 0);
  const gravest = [...violations].sort(
    (a, b) => gravity(a) - gravity(b) || a.history.length - b.history.length,
  );
  expect(gravest.slice(0, 3).map(describeViolation)).toEqual([]);
  expect(report.misdeeds).toEqual([]);
  expect(report.notRecovered).toEqual([]);
  // A process that has just started grows all the same.
  if (minutes >= 10) expect(growthsOf(report.vitalSigns)).toEqual([]);
});
