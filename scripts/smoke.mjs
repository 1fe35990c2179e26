/** The built program from start to finish on the Node that runs this: starts it, runs the quickstart, ends it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { program } from "./lib/build.mjs";
import { main, Problem, root, say } from "./lib/project.mjs";
import { mustRun } from "./lib/run.mjs";

const apiKey = "a-development-key-for-the-smoke-test";

await main(async () => {
  const env = {
    ...process.env,
    PORT: "0",
    EMULATOR_PORT: "0",
    DEVELOPMENT_API_KEY: apiKey,
    LOG_LEVEL: "warn",
  };
  const gateway = spawn(process.execPath, [program], {
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(gateway, "exit");
  try {
    const { url, emulator } = await addresses(gateway);
    const args = [program, "quickstart", "--url", url, "--api-key", apiKey, "--emulator", emulator];
    const { stdout } = await mustRun("The quickstart", process.execPath, args, {
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const line of [
      "The service no longer accepts the old token.",
      "Successfully deleted the identity",
    ]) {
      if (!stdout.includes(line)) throw new Problem(`The quickstart did not print: ${line}`);
    }
  } finally {
    gateway.kill("SIGTERM");
  }
  const [code] = await ended;
  if (code !== 0) throw new Problem(`The gateway ended with code ${code} when asked to end.`);
  say(`The program starts, runs the quickstart and ends on Node ${process.versions.node}.`);
});

/** Reads the announcement up to its last line. */
async function addresses(gateway) {
  let text = "";
  for await (const line of createInterface({ input: gateway.stdout })) {
    text += `${line}\n`;
    if (!line.includes("Ctrl-C")) continue;
    const url = /Gateway +(\S+)/.exec(text)?.[1];
    const emulator = /issued by the emulator at (\S+)/.exec(text)?.[1];
    if (url && emulator) return { url, emulator };
  }
  throw new Problem(`The gateway did not say where it listens:\n${text}`);
}
