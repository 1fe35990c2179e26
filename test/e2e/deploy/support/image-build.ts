/**
 * A Dockerfile's steps without a container engine: every stage is a folder, COPY copies what .dockerignore lets through,
 * and RUN runs in the stage's working directory. Shows that the steps work and what the image holds; base images are
 * taken to hold Node.js where the official ones have it.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { chmod, copyFile, mkdir, readdir, rm, stat } from "node:fs/promises";
import { basename, dirname, join, posix } from "node:path";
import { promisify } from "node:util";
import { root, tool } from "./tools";

/** What the steps leave of one stage. */
export interface Stage {
  readonly name: string;
  readonly base: string;
  /** The folder that is its root. */
  readonly root: string;
  workdir: string;
  user: string;
  readonly env: Record<string, string>;
  readonly labels: Record<string, string>;
  readonly ports: string[];
  entrypoint: readonly string[];
  command: readonly string[];
  healthcheck: readonly string[];
}

interface Instruction {
  getKeyword(): string;
  getArguments(): { getValue(): string }[];
  getRawArgumentsContent(): string | null;
  getFlags?(): { getName(): string; getValue(): string }[];
  getJSONStrings?(): { getJSONValue(): string }[];
  getProperties?(): { getName(): string; getValue(): string }[];
  getImage?(): string;
  getBuildStage?(): string | null;
}

/** Carries out a Dockerfile. `context` is the folder that it is built from, `folder` an empty one for the stages. */
export async function simulateBuild(file: string, context: string, folder: string): Promise<Stage> {
  const { DockerfileParser } = tool("dockerfile-ast") as {
    DockerfileParser: { parse(text: string): { getInstructions(): Instruction[] } };
  };
  const sent = await contextOf(context, `${file}.dockerignore`);
  const variables: Record<string, string> = {};
  const stages: Stage[] = [];
  for (const instruction of DockerfileParser.parse(readFileSync(file, "utf8")).getInstructions()) {
    const stage = stages.at(-1);
    const filled = (text: string) =>
      text.replace(/\$\{(\w+)\}/g, (_, name: string) => {
        const value = stage?.env[name] ?? variables[name];
        if (value === undefined) throw new Error(`${name} has no value.`);
        return value;
      });
    const words = instruction.getArguments().map((each) => filled(each.getValue()));
    const properties = (instruction.getProperties?.() ?? []).map(
      (each) => [each.getName(), filled(each.getValue())] as const,
    );
    const keyword = instruction.getKeyword();
    if (keyword === "FROM") {
      stages.push(await begin(filled(instruction.getImage?.() ?? ""), instruction, stages, folder));
    } else if (keyword === "ARG") {
      Object.assign(variables, Object.fromEntries(properties));
    } else if (stage === undefined) {
      throw new Error(`${keyword} stands before the first FROM.`);
    } else if (keyword === "COPY") {
      const from = instruction.getFlags?.().find((flag) => flag.getName() === "from");
      const source = stages.find(({ name }) => name === from?.getValue());
      await copy(stage, words, source, { context, sent });
    } else if (keyword === "RUN") {
      await run(stage, filled(instruction.getRawArgumentsContent() ?? ""));
    } else {
      note(stage, instruction, { keyword, words, properties });
    }
  }
  const last = stages.at(-1);
  if (!last) throw new Error("There is no FROM.");
  return last;
}

/** Where a path of the image is on this machine. */
export function placed(stage: Stage, path: string): string {
  return join(stage.root, posix.resolve(stage.workdir, path));
}

async function begin(
  base: string,
  instruction: Instruction,
  stages: readonly Stage[],
  folder: string,
): Promise<Stage> {
  const name = instruction.getBuildStage?.() ?? String(stages.length);
  const stage: Stage = {
    name,
    base,
    root: join(folder, name),
    workdir: "/",
    user: "",
    env: {},
    labels: {},
    ports: [],
    entrypoint: [],
    command: [],
    healthcheck: [],
  };
  await mkdir(join(stage.root, "usr", "local", "bin"), { recursive: true });
  if (base.startsWith("node:"))
    await copyFile(process.execPath, join(stage.root, "usr", "local", "bin", "node"));
  return stage;
}

interface Context {
  readonly context: string;
  readonly sent: readonly string[];
}

async function copy(stage: Stage, words: string[], source: Stage | undefined, from: Context): Promise<void> {
  const [target = "", ...sources] = [...words].reverse();
  const to = placed(stage, target);
  for (const each of sources) {
    if (source) {
      const path = placed(source, each);
      await link(path, target.endsWith("/") && (await stat(path)).isFile() ? join(to, basename(path)) : to);
    } else {
      const found = from.sent.filter((path) => each === "." || path === each || path.startsWith(`${each}/`));
      if (found.length === 0) throw new Error(`COPY ${each}: nothing of it is sent to the builder.`);
      for (const path of found) {
        const inside = each === "." ? path : path === each ? basename(path) : path.slice(each.length + 1);
        await mkdir(dirname(join(to, inside)), { recursive: true });
        await copyFile(join(from.context, path), join(to, inside));
      }
    }
  }
}

async function run(stage: Stage, text: string): Promise<void> {
  const command = text.replace(/--mount=\S+/g, "").trim();
  // What npm has downloaded before may serve, as in a builder's cache; npm's settings of this test run may not.
  const kept = ["HOME", "npm_config_cache", "npm_config_registry", "NODE_EXTRA_CA_CERTS"];
  const env = Object.fromEntries(
    kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
  // What every run of the tests begins with, in this checkout, need not be done twice: its outcome will do. In CI the
  // build is, from nothing but what the builder is sent.
  if (command.startsWith("npm ci") && !command.includes("--omit")) {
    await link(join(root, "node_modules"), placed(stage, "node_modules"));
    return;
  }
  const [build, ...rest] = command.split(" && ");
  if (build === "node scripts/build.mjs --served" && !process.env.CI) {
    await link(join(root, "dist"), placed(stage, "dist"));
    await rm(placed(stage, "dist/client"), { recursive: true, force: true });
    await run(stage, rest.join(" && "));
    return;
  }
  const path = `${join(stage.root, "usr", "local", "bin")}:${process.env.PATH ?? ""}`;
  await promisify(execFile)("/bin/sh", ["-c", command], {
    cwd: placed(stage, "."),
    env: { ...env, npm_config_prefer_offline: "true", ...stage.env, PATH: path },
    maxBuffer: 64 * 1024 * 1024,
  });
}

/** A copy that only readers get: hard links where the file system has them. */
async function link(from: string, to: string): Promise<void> {
  const isFolder = (await stat(from)).isDirectory();
  await mkdir(isFolder ? to : dirname(to), { recursive: true });
  const copied = (flags: string) => promisify(execFile)("cp", [flags, isFolder ? `${from}/.` : from, to]);
  await copied("-alf").catch(() => copied("-af"));
}

interface Said {
  readonly keyword: string;
  readonly words: readonly string[];
  readonly properties: readonly (readonly [string, string])[];
}

function note(stage: Stage, instruction: Instruction, { keyword, words, properties }: Said): void {
  const list = instruction.getJSONStrings?.().map((each) => each.getJSONValue()) ?? [];
  switch (keyword) {
    case "WORKDIR":
      stage.workdir = posix.resolve(stage.workdir, words[0] ?? "");
      return;
    case "USER":
      stage.user = words[0] ?? "";
      return;
    case "ENV":
      Object.assign(stage.env, Object.fromEntries(properties));
      return;
    case "LABEL":
      Object.assign(stage.labels, Object.fromEntries(properties));
      return;
    case "EXPOSE":
      stage.ports.push(...words);
      return;
    case "ENTRYPOINT":
      stage.entrypoint = list;
      return;
    case "CMD":
      stage.command = list;
      return;
    case "HEALTHCHECK":
      stage.healthcheck = JSON.parse(words.slice(1).join(" ")) as string[];
      return;
    case "STOPSIGNAL":
      return;
    default:
      throw new Error(`${keyword} is not simulated.`);
  }
}

/** The files of `context` that a builder gets to see. */
async function contextOf(context: string, ignoreFile: string): Promise<string[]> {
  interface Ignore {
    add(patterns: string): Ignore;
    ignores(path: string): boolean;
  }
  const ignore = (tool("@balena/dockerignore") as () => Ignore)().add(readFileSync(ignoreFile, "utf8"));
  const files: string[] = [];
  const look = async (folder: string) => {
    for (const entry of await readdir(join(context, folder), { withFileTypes: true })) {
      const path = posix.join(folder, entry.name);
      // Too many to look at each, so one stands for all.
      const isHuge = ["node_modules", ".git", ".cache", "dist"].includes(entry.name);
      if (entry.isDirectory() && !(isHuge && ignore.ignores(posix.join(path, "package.json"))))
        await look(path);
      else if (entry.isFile() && !ignore.ignores(path)) files.push(path);
    }
  };
  await look("");
  return files;
}

/** Lets other users of this machine into the folder, as users of a container are let into its image. */
export async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
}
