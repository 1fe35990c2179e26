/** Loaded into a gateway's process before its program: writes to a file how long the event loop has been busy at most. */
import { writeFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setInterval, setTimeout } from "node:timers";

const delay = monitorEventLoopDelay({ resolution: 1 });
let most = 0;
// Start-up is no answer to a request.
setTimeout(() => delay.enable(), 2_000).unref();
setInterval(() => {
  const ms = Math.round(delay.max / 1e4) / 100;
  if (ms <= most) return;
  most = ms;
  writeFileSync(process.env.STALL_FILE, String(most));
}, 100).unref();
