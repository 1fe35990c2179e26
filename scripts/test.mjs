/** `npm test [-- Jest's arguments]`: installs and builds what is missing, then runs Jest. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureBuilt } from "./lib/build.mjs";
import { countsVariable } from "./lib/count-reporter.mjs";
import { ensureInstalled, ownPackages } from "./lib/install.mjs";
import { main } from "./lib/project.mjs";
import { commandFile, run, together } from "./lib/run.mjs";
import { testPackages } from "./lib/test-packages.mjs";
import { ensureTools } from "./lib/tools.mjs";

/** Tests that count turns in windows of real time: they have the machine to themselves. */
const counting = "/test/integration/azure/upstream-budget";
/** Tests that wait for real time, or in which processes race against it: they need a machine that is not busy. */
const waiting =
  "/test/\\w+/(azure/|faults/|history/|api/(redis-away|upstream-failures|refresh-ahead)|identities/orphans|client/token-refresher|access/limits|attacks/graphql/operation-timeout|telemetry/trace-export)";

await main(async (args) => {
  const [tools] = await together([ensureTools(), ensureInstalled(ownPackages, testPackages())]);
  await ensureBuilt();
  const folder = mkdtempSync(join(tmpdir(), "acs-token-gateway-test-"));
  try {
    const counts = join(folder, "counts");
    writeFileSync(counts, "");
    const env = { ...process.env, ...tools, NODE_ENV: "test", [countsVariable]: counts };
    const runs =
      args.length > 0
        ? [args]
        : [
            ["--maxWorkers=2", "--testPathIgnorePatterns", "/node_modules/", waiting],
            [
              "--maxWorkers=3",
              "--testPathPatterns",
              waiting,
              "--testPathIgnorePatterns",
              "/node_modules/",
              counting,
            ],
            ["--runInBand", "--testPathPatterns", counting],
          ];
    let failure = 0;
    for (const each of runs) {
      const { code } = await jest(each, env);
      failure ||= code;
    }
    process.stdout.write(`${summary(readFileSync(counts, "utf8"))}\n`);
    process.exitCode = failure;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

function jest(args, env) {
  // The reporters come last: Jest would take paths that follow them for reporters too.
  const reporters = ["--reporters=default", "--reporters=<rootDir>/scripts/lib/count-reporter.mjs"];
  return run(process.execPath, [commandFile("jest", "bin/jest.js"), ...args, ...reporters], { env });
}

/** The last line of all: the numbers, for people and programs alike. */
function summary(text) {
  const runs = text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const sum = (name) => runs.reduce((total, counts) => total + counts[name], 0);
  const skipped = sum("skipped");
  return `${sum("passed")} passed, ${sum("failed")} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}
