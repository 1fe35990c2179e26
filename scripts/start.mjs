/** `npm start [-- command …]`: installs and builds what is missing, then is the program itself. */
import { clearInterval, setInterval } from "node:timers";
import { pathToFileURL } from "node:url";
import { ensureBuilt, program, served } from "./lib/build.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { main } from "./lib/project.mjs";

await main(async (args) => {
  endWithParent();
  await ensureInstalled();
  await ensureBuilt(served);
  // In this very process: signals reach the program, and nothing is left behind when it ends.
  process.argv = [process.execPath, program, ...args];
  await import(pathToFileURL(program).href);
});

/** npm hands SIGTERM to the shell that it starts scripts with, and that shell dies of it without telling anyone. */
function endWithParent() {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, "SIGTERM");
  }, 200);
  timer.unref();
}
