/** `npm start [-- command …]`: installs and builds what is missing, then is the program itself. */
import { pathToFileURL } from "node:url";
import { ensureBuilt, program } from "./lib/build.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { main } from "./lib/project.mjs";

await main(async (args) => {
  await ensureInstalled();
  await ensureBuilt();
  // In this very process: signals reach the program, and nothing is left behind when it ends.
  process.argv = [process.execPath, program, ...args];
  await import(pathToFileURL(program).href);
});
