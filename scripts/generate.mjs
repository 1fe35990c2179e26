/** `npm run codegen [-- --check]`: schema.graphql from the classes, the clients' types and the reference pages from it; or are they fresh? */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { format, resolveConfig } from "prettier";
import { dashboard } from "../deploy/grafana/dashboard.mjs";
import { ensureBuilt, program } from "./lib/build.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { main, Problem, root, say } from "./lib/project.mjs";
import { referencePages } from "./lib/reference/pages.mjs";
import { commandFile, mustRun } from "./lib/run.mjs";

const schema = "schema.graphql";
const generated = join("operations", "generated");
const dashboardFile = join("deploy", "grafana", "dashboard.json");

await main(async (args) => {
  const check = args.includes("--check");
  await ensureInstalled();
  await ensureBuilt();
  mkdirSync(join(root, ".cache"), { recursive: true });
  // Generated aside, under the project's node_modules: a check leaves no trace, a failure nothing half done.
  const aside = mkdtempSync(join(root, ".cache", "generate-"));
  try {
    await generateInto(aside);
    const stale = files(aside).filter((file) => read(join(aside, file)) !== read(join(root, file)));
    if (check) {
      if (stale.length > 0) throw new Problem(`Stale: ${stale.join(", ")}. Run: npm run codegen`);
      say("What is generated is fresh.");
    } else {
      for (const file of stale) {
        mkdirSync(dirname(join(root, file)), { recursive: true });
        cpSync(join(aside, file), join(root, file));
      }
      say(stale.length > 0 ? `Written: ${stale.join(", ")}` : "Nothing has changed.");
    }
  } finally {
    rmSync(aside, { recursive: true });
  }
});

async function generateInto(folder) {
  const sdl = await mustRun("Printing the schema", process.execPath, [program, "schema"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  writeFileSync(join(folder, schema), sdl.stdout);
  for (const [page, text] of await referencePages(sdl.stdout)) {
    mkdirSync(dirname(join(folder, page)), { recursive: true });
    writeFileSync(join(folder, page), text);
  }
  mkdirSync(dirname(join(folder, dashboardFile)), { recursive: true });
  const style = await resolveConfig(join(root, dashboardFile));
  const text = await format(JSON.stringify(dashboard()), { ...style, parser: "json" });
  writeFileSync(join(folder, dashboardFile), text);
  cpSync(join(root, "codegen.yml"), join(folder, "codegen.yml"));
  const documents = readdirSync(join(root, "operations")).filter((name) => name.endsWith(".graphql"));
  for (const name of documents) {
    cpSync(join(root, "operations", name), join(folder, "operations", name));
  }
  const codegen = commandFile("@graphql-codegen/cli", "cjs/bin.js");
  await mustRun("graphql-codegen", process.execPath, [codegen, "--config", "codegen.yml"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function files(folder) {
  const inFolder = (name) => readdirSync(join(folder, name)).map((file) => join(name, file));
  return [schema, dashboardFile, ...inFolder(generated), ...inFolder("docs")];
}

function read(path) {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}
