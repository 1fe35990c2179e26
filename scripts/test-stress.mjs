/** `npm run test:stress`: runs `npm test` three times while two busy loops use both cores. A test that races against real time fails here. */
import { spawn } from "node:child_process";
import { main, Problem } from "./lib/project.mjs";
import { run } from "./lib/run.mjs";

const times = 3;
/** Ends with its parent too, when that has no time to end it: it sees that its input is closed. */
const busy =
  "process.stdin.on('end', () => process.exit()).resume(); (function turn() { const end = Date.now() + 100; while (Date.now() < end); setImmediate(turn); })();";

await main(async (args) => {
  const loops = [1, 2].map(() =>
    spawn(process.execPath, ["-e", busy], { stdio: ["pipe", "ignore", "inherit"] }),
  );
  let passed = 0;
  try {
    for (let time = 1; time <= times; time++) {
      process.stdout.write(`Run ${time} of ${times}\n`);
      const { code } = await run(process.execPath, ["scripts/test.mjs", ...args]);
      if (code === 0) passed++;
    }
  } finally {
    for (const loop of loops) loop.kill();
  }
  process.stdout.write(`${passed} of ${times}\n`);
  if (passed < times) throw new Problem("");
});
