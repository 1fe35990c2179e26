/**
 * `npm test [-- --no-install] [-- Jest's arguments]`: installs and builds what is missing, then runs the unit tests, the
 * integration tests and the smoke part of the end-to-end tests; `--e2e` (`npm run test:e2e`) runs the other end-to-end tests.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureBuilt } from "./lib/build.mjs";
import { countsVariable } from "./lib/count-reporter.mjs";
import { ensureInstalled, ownPackages } from "./lib/install.mjs";
import { main, say } from "./lib/project.mjs";
import { commandFile, run, together } from "./lib/run.mjs";
import { testsThatNeed } from "./lib/test-needs.mjs";
import { testPackages } from "./lib/test-packages.mjs";
import { ensureTools } from "./lib/tools.mjs";

/** The end-to-end tests that `npm test` runs too. */
const smoke = "/test/e2e/smoke/";
/** Its tests wait for servers half of the time, so that three workers keep two cores busy. */
const everyDay = { paths: ["/test/(unit|integration)/", smoke], ignored: [], workers: 3 };
const endToEnd = { paths: ["/test/e2e/"], ignored: [smoke], workers: 2 };

await main(async (args) => {
  const own = ["--no-install", "--e2e"];
  const [noInstall, e2e] = own.map((option) => args.includes(option));
  const forJest = args.filter((arg) => !own.includes(arg));
  const started = Date.now();
  const packages = testPackages(e2e || forJest.length > 0 ? undefined : ["federation/routers"]);
  const [{ environment, missing }] = await together([
    ensureTools({ install: !noInstall }),
    ensureInstalled(ownPackages, packages),
  ]);
  const installed = Date.now();
  await ensureBuilt();
  const built = Date.now();
  const leftOut = missing.length > 0 ? testsThatNeed(missing) : [];
  if (leftOut.length > 0) {
    say(`Left out, because ${missing.join(" and ")} must not be installed:\n  ${leftOut.join("\n  ")}`);
  }
  const folder = mkdtempSync(join(tmpdir(), "acs-token-gateway-test-"));
  try {
    const counts = join(folder, "counts");
    writeFileSync(counts, "");
    const env = { ...process.env, ...environment, NODE_ENV: "test", [countsVariable]: counts };
    const { code } = await jest(forJest, e2e ? endToEnd : everyDay, leftOut, env);
    const result = read(counts);
    const { files = {} } = result;
    const seconds = (from, to) => `${Math.round((to - from) / 1000)} s`;
    const each = Object.entries(files).map(([kind, ms]) => `${kind} ${seconds(0, ms)}`);
    process.stdout.write(
      `Installing ${seconds(started, installed)}, building ${seconds(installed, built)}, ` +
        `tests ${seconds(built, Date.now())} (their files one after the other: ${each.join(", ")})\n` +
        `${summary(result, leftOut)}\n`,
    );
    process.exitCode = code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

function jest(args, { paths, ignored, workers }, leftOut, env) {
  const ignore = ["/node_modules/", ...leftOut.map((path) => `/${path}$`)];
  const options =
    args.length > 0
      ? [...args, "--testPathIgnorePatterns", ...ignore]
      : [
          `--maxWorkers=${workers}`,
          "--testPathPatterns",
          ...paths,
          "--testPathIgnorePatterns",
          ...ignore,
          ...ignored,
        ];
  // The reporters come last: Jest would take paths that follow them for reporters too.
  const reporters = ["--reporters=default", "--reporters=<rootDir>/scripts/lib/count-reporter.mjs"];
  return run(process.execPath, [commandFile("jest", "bin/jest.js"), ...options, ...reporters], { env });
}

/** What the reporter has left; nothing when Jest did not come to run a test. */
function read(file) {
  const text = readFileSync(file, "utf8");
  return text ? JSON.parse(text) : { passed: 0, failed: 0, skipped: 0 };
}

/** The last line of all: the numbers, for people and programs alike. */
function summary({ passed, failed, skipped }, leftOut) {
  const files = leftOut.length > 0 ? `, ${leftOut.length} files left out` : "";
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}${files}`;
}
