/** A history of three gateways, run and judged: what it must not show is an error. */
import { expect } from "@jest/globals";
import { runSeed as seed } from "../../support/random";
import { describeViolation } from "./checker";
import { runHistory, type RunOptions, type RunReport } from "./run";

/**
 * Runs it and tells its figures. Throws with the shortest history that shows a violation, unless a patched build is
 * judged, of which violations are expected.
 */
export async function judged(options: Omit<RunOptions, "seed" | "gateways">): Promise<RunReport> {
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
export const enough = 150;
export const served = ({ operations }: RunReport) =>
  (operations["issue OK CACHE"] ?? 0) + (operations["issue OK ISSUED"] ?? 0);
