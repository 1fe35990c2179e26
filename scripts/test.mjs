/** `npm test [-- Jest's arguments]`: installs and builds what is missing, then runs Jest. */
import { ensureBuilt } from "./lib/build.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { main } from "./lib/project.mjs";
import { commandFile, run } from "./lib/run.mjs";
import { ensureTools } from "./lib/tools.mjs";

await main(async (args) => {
  await ensureInstalled();
  await ensureBuilt();
  const tools = await ensureTools();
  const reporters = ["--reporters=default", "--reporters=<rootDir>/scripts/lib/count-reporter.mjs"];
  // The reporters come last: Jest would take paths that follow them for reporters too.
  const { code } = await run(process.execPath, [commandFile("jest", "bin/jest.js"), ...args, ...reporters], {
    env: { ...process.env, ...tools, NODE_ENV: "test" },
  });
  process.exit(code);
});
