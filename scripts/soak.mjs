/** `npm run soak -- --minutes N [--topology standalone|sentinel|cluster] [--seed S] [--think MS] [--report FILE]`: a long history under faults. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { ensureBuilt } from "./lib/build.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { main, Problem } from "./lib/project.mjs";
import { commandFile, run } from "./lib/run.mjs";
import { ensureTools } from "./lib/tools.mjs";

const topologies = ["standalone", "sentinel", "cluster"];

function optionsOf(args) {
  const text = { type: "string" };
  const options = {
    minutes: { ...text, default: "1" },
    topology: { ...text, default: "standalone" },
    seed: text,
    think: text,
    report: text,
  };
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new Problem(error.message);
  }
}

await main(async (args) => {
  const values = optionsOf(args);
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Problem("--minutes must be a number greater than 0.");
  if (!topologies.includes(values.topology)) {
    throw new Problem(`--topology must be one of ${topologies.join(", ")}.`);
  }
  await ensureInstalled();
  await ensureBuilt();
  const { environment: tools } = await ensureTools();
  const jest = ["--testMatch", "**/*.soak.ts", `--testTimeout=${(minutes + 5) * 60_000}`];
  const { code } = await run(process.execPath, [commandFile("jest", "bin/jest.js"), ...jest], {
    env: {
      ...process.env,
      ...tools,
      NODE_ENV: "test",
      SOAK_MINUTES: String(minutes),
      SOAK_TOPOLOGY: values.topology,
      ...(values.seed === undefined ? {} : { SEED: values.seed }),
      ...(values.think === undefined ? {} : { SOAK_THINK_MS: values.think }),
      ...(values.report === undefined ? {} : { SOAK_REPORT: resolve(values.report) }),
    },
  });
  process.exit(code);
});
