/** Builds the program (TypeScript), the explorer and the status page (Vite) into dist/, each only when its inputs have changed. */
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import { alone } from "./lock.mjs";
import { root, say } from "./project.mjs";
import { commandFile, mustRun, together } from "./run.mjs";

/** The command line, built. */
export const program = join(root, "dist", "bin", "acs-token-gateway.js");

/** TypeScript's native compiler, which needs a fifth of the time. The linter needs the one before it, as a library. */
export const compiler = commandFile("typescript-7", "bin/tsc");

const sources = ["src", "bin", "emulator", "operations"];
const stamps = join(root, ".cache", "built.json");

const clientFolder = join(root, "dist", "client");
/** Of what else than the project's own kind a folder's modules are, its package.json says. */
const clientFormats = [
  { name: "esm", project: "client/tsconfig.json", type: "module" },
  { name: "cjs", project: "client/tsconfig.cjs.json", type: "commonjs" },
];

/** The web example's page, built: beside the product, not in it. */
export const examplePage = join(root, ".cache", "example-web");

const targets = [
  {
    name: "program",
    inputs: [...sources, "tsconfig.json", "tsconfig.build.json", "package-lock.json"],
    isComplete: () => missing().length === 0,
    build: buildProgram,
  },
  {
    name: "client",
    inputs: ["client", "tsconfig.json", "package-lock.json"],
    isComplete: () => clientFormats.every((each) => existsSync(join(clientFolder, each.name, "index.js"))),
    build: buildClient,
  },
  {
    name: "example",
    inputs: ["examples/web", "client", "package-lock.json"],
    isComplete: () =>
      !existsSync(join(root, "examples", "web")) || existsSync(join(examplePage, "index.html")),
    build: () => viteBuild("examples/web"),
  },
  {
    name: "explorer",
    inputs: ["explorer", "operations", "package-lock.json"],
    isComplete: () => !hasExplorer() || existsSync(join(root, "dist", "explorer", "index.html")),
    build: buildExplorer,
  },
  {
    name: "status page",
    inputs: ["pages/status", "package-lock.json"],
    isComplete: () =>
      !existsSync(join(root, "pages", "status")) || existsSync(join(root, "dist", "status", "index.html")),
    build: () => viteBuild("pages/status"),
  },
];

/** What `npm start` serves. */
export const served = ["program", "explorer", "status page"];

/** After it, dist/ is what the sources say: all of it, or these targets of it. */
export async function ensureBuilt(names = targets.map(({ name }) => name)) {
  if (stale(names).length === 0) return;
  await alone(async () => {
    const work = stale(names);
    if (work.length === 0) return;
    const started = Date.now();
    say("Building…");
    await together(work.map(build));
    say(`Built in ${Math.round((Date.now() - started) / 1000)} s.`);
  });
}

function stale(names) {
  const built = readStamps();
  return targets
    .filter(({ name }) => names.includes(name))
    .filter((target) => built[target.name] !== digest(target.inputs) || !target.isComplete());
}

async function build(target) {
  // Taken before: what is changed during the build is built by the next one.
  const stamp = digest(target.inputs);
  await target.build();
  mkdirSync(join(root, ".cache"), { recursive: true });
  writeFileSync(stamps, JSON.stringify({ ...readStamps(), [target.name]: stamp }));
}

function readStamps() {
  try {
    return JSON.parse(readFileSync(stamps, "utf8"));
  } catch {
    return {};
  }
}

async function buildProgram() {
  // The compiler would not write again what it remembers to have written.
  if (missing().length > 0) rmSync(join(root, "dist", ".tsbuildinfo"), { force: true });
  await mustRun("The TypeScript compiler", process.execPath, [compiler, "-p", "tsconfig.build.json"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  dropLeftovers();
  chmodSync(program, 0o755);
}

/** For browsers, bundlers, Node.js and React Native alike: ES modules, and CommonJS ones. */
async function buildClient() {
  rmSync(clientFolder, { recursive: true, force: true });
  const build = async ({ name, project, type }) => {
    await mustRun("The TypeScript compiler", process.execPath, [compiler, "-p", project], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const contents = JSON.stringify({ type, sideEffects: false });
    writeFileSync(join(clientFolder, name, "package.json"), `${contents}\n`);
  };
  await Promise.all(clientFormats.map(build));
}

async function buildExplorer() {
  if (hasExplorer()) await viteBuild("explorer");
}

async function viteBuild(folder) {
  if (!existsSync(join(root, folder))) return;
  const vite = commandFile("vite", "bin/vite.js");
  await mustRun("Vite", process.execPath, [vite, "build", folder, "--logLevel", "warn"], {
    stdio: ["ignore", "pipe", "pipe"],
    // Vite's build is for production whatever the caller's NODE_ENV is; a test run's would make a slower page.
    env: { ...process.env, NODE_ENV: "production" },
  });
}

function hasExplorer() {
  return ["js", "mjs", "ts", "mts"].some((ending) =>
    existsSync(join(root, "explorer", `vite.config.${ending}`)),
  );
}

/** Sources without output. */
function missing() {
  return modules().filter((module) => !existsSync(join(root, "dist", `${module}.js`)));
}

/** Removes the output of sources that are gone, which would still be loaded and packed. */
function dropLeftovers() {
  const present = new Set(modules());
  for (const folder of sources) {
    for (const file of filesIn(join("dist", folder))) {
      const module = file.slice("dist".length + 1).replace(/(\.d\.ts|\.js)(\.map)?$/, "");
      if (!present.has(module)) rmSync(join(root, file));
    }
  }
}

/** Every TypeScript source's path without its ending. */
function modules() {
  return sources
    .flatMap(filesIn)
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
    .map((file) => file.slice(0, -".ts".length));
}

function digest(inputs) {
  const hash = createHash("sha256");
  for (const file of inputs.flatMap(filesIn)) {
    hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  }
  return hash.digest("hex");
}

/** Files under a path of the project, sorted; the path itself when it is a file. */
function filesIn(path) {
  let entries;
  try {
    entries = readdirSync(join(root, path), { withFileTypes: true, recursive: true });
  } catch (error) {
    if (error.code === "ENOTDIR") return [path];
    if (error.code === "ENOENT") return [];
    throw error;
  }
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + sep.length))
    .filter((file) => !file.includes(`node_modules${sep}`))
    .sort();
}
