/** `npm run release:check [-- --tag vX.Y.Z]`: everything a release needs short of publishing; what is published is left in .cache/release. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureBuilt } from "./lib/build.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { main, Problem, root, say } from "./lib/project.mjs";
import { run } from "./lib/run.mjs";
import { changelogProblems, mayBreak, notesOf } from "./lib/release/changelog.mjs";

const read = (path) => readFileSync(join(root, path), "utf8");
const refusal = "This cannot be released.";
const standard = join(root, ".cache", "release");
const quiet = { stdio: ["ignore", "pipe", "pipe"] };

await main(async (args) => {
  const { tag, output } = options(args);
  const manifest = JSON.parse(read("package.json"));
  // Before all that takes its time: a wrong tag makes the rest pointless.
  const misnamed = versionProblems(manifest, tag);
  if (misnamed.length > 0) throw new Problem([...misnamed, refusal].join("\n"));
  await ensureInstalled();
  await ensureBuilt();
  // Loaded late: they need packages that may just have been installed.
  const [licenses, { sbomOf }, { pack, tarballProblems }, { workflowProblems }] = await Promise.all([
    import("./lib/release/licenses.mjs"),
    import("./lib/release/sbom.mjs"),
    import("./lib/release/tarball.mjs"),
    import("./lib/release/workflows.mjs"),
  ]);
  emptyFolder(output);
  const changelog = read("CHANGELOG.md");
  const checks = {
    changelog: () => changelogProblems(changelog, manifest.version, { released: tag !== undefined }),
    schema: () => schemaProblems(manifest.version, tag),
    licenses: () => licenses.licenseProblems(licenses.givenOn()),
    workflows: () => workflowProblems(),
    sbom: async () => {
      writeFileSync(join(output, "sbom.cdx.json"), await sbomOf(manifest.name, licenses.givenOn()));
      return [];
    },
    package: async () => tarballProblems(await pack({ into: output }), manifest),
  };
  let failed = false;
  for (const [name, check] of Object.entries(checks)) {
    const problems = await Promise.resolve(check()).catch((error) => {
      if (error instanceof Problem) return [error.message];
      throw error;
    });
    say(problems.length === 0 ? `${name}: good` : [`${name}:`, ...problems].join("\n  "));
    failed ||= problems.length > 0;
  }
  const notes = notesOf(changelog, manifest.version);
  if (notes !== undefined) writeFileSync(join(output, "notes.md"), `${notes}\n`);
  if (failed) throw new Problem(refusal);
  say(`${manifest.name} ${manifest.version} can be released: ${output}`);
});

function options(args) {
  try {
    const output = { type: "string", default: standard };
    return parseArgs({ args, options: { tag: { type: "string" }, output } }).values;
  } catch (error) {
    throw new Problem(error.message);
  }
}

/** Makes the folder; what is in it goes only where nobody else puts anything. */
function emptyFolder(folder) {
  if (folder === standard) rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  if (readdirSync(folder).length > 0) throw new Problem(`${folder} is not empty.`);
}

/** The tag names the version, and the lock file agrees. */
function versionProblems({ version }, tag) {
  const problems = [];
  const locked = JSON.parse(read("package-lock.json")).version;
  if (locked !== version) problems.push(`package-lock.json says ${locked}, package.json ${version}.`);
  if (tag !== undefined && tag !== `v${version}`)
    problems.push(`The tag is ${tag}, the version ${version}: the tag must be v${version}.`);
  return problems;
}

/** A release that breaks operations or supergraphs of the one before has a version that says so. */
async function schemaProblems(version, tag) {
  const before = tag === undefined ? "HEAD" : `${tag}^`;
  const last = await run("git", ["describe", "--tags", "--abbrev=0", "--match", "v*", before], quiet);
  // The first release has nobody to break.
  if (last.code !== 0) return [];
  const base = last.stdout.trim();
  const script = join(root, "scripts", "schema-check.mjs");
  const { code, stderr } = await run(process.execPath, [script, "--base", base], quiet);
  if (code === 0 || mayBreak(base.slice(1), version)) return [];
  return [stderr.trim(), `The step from ${base} to ${version} may not break anybody.`];
}
