/** `npm run typecheck`: the types of everything that is written in TypeScript. */
import { compiler } from "./lib/build.mjs";
import { main, Problem } from "./lib/project.mjs";
import { run } from "./lib/run.mjs";

const projects = ["tsconfig.json", "explorer", "pages/status", "client", "examples/web"];

await main(async () => {
  let failed = false;
  for (const project of projects) {
    const { code } = await run(process.execPath, [compiler, "-p", project, "--noEmit"]);
    failed ||= code !== 0;
  }
  if (failed) throw new Problem("");
});
