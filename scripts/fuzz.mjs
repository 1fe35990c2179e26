/** `npm run fuzz -- [count] [seed]`: sends a gateway 100,000 requests that no honest client sends, and tells what came back. */
import { ensureBuilt } from "./lib/build.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { main, Problem } from "./lib/project.mjs";
import { commandFile, run } from "./lib/run.mjs";

await main(async ([count = "100000", seed]) => {
  if (!/^[1-9]\d*$/.test(count)) throw new Problem("The count must be a whole number greater than 0.");
  if (seed !== undefined && !/^\d+$/.test(seed)) throw new Problem("The seed must be a whole number.");
  await ensureInstalled();
  await ensureBuilt();
  const tests = ["fuzz", "heavy-requests"].map((name) => `test/integration/attacks/${name}.test.ts`);
  const jest = ["--runInBand", "--runTestsByPath", ...tests];
  const { code } = await run(process.execPath, [commandFile("jest", "bin/jest.js"), ...jest], {
    env: {
      ...process.env,
      NODE_ENV: "test",
      FUZZ_COUNT: count,
      ...(seed === undefined ? {} : { SEED: seed }),
    },
  });
  process.exit(code);
});
