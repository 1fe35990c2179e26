/** What `npm pack` would publish: only what users need, all that package.json points at, and no secret of the builder. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { npm } from "../install.mjs";
import { root } from "../project.mjs";
import { mustRun } from "../run.mjs";

/** The only entries at the top, and the only files in the folders that are not whole. */
const entries =
  /^(package\.json|README\.md|CHANGELOG\.md|SECURITY\.md|LICENSE|schema\.graphql|(dist|docs|operations)\/.+|(client|emulator)\/README\.md)$/;
/** What the folders of `dist` may be. */
const built = /^dist\/(bin|client|emulator|explorer|operations|src|status)\//;
/** Names that have no place in a package: hidden files, tests, maps, build records, keys, certificates, logs, dumps. */
const unwanted =
  /(^|\/)\.|(^|\/)(test|tests|__tests__|node_modules|coverage)\/|\.(test|spec|soak|bench|suite)\.|\.(map|tsbuildinfo|pem|key|p12|pfx|crt|log|rdb|aof|tgz|env)$|(^|\/)id_(rsa|ed25519)/;
/** What secrets look like inside of a file. */
const secrets = [
  ["a private key", /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s*[A-Za-z0-9+/]{40}/],
  ["an npm token", /\bnpm_[A-Za-z0-9]{36}\b/],
  ["a GitHub token", /\bgh[pousr]_[A-Za-z0-9]{36}\b/],
  ["a source map", /sourceMappingURL=data:/],
];
/** Twice of what it is: whoever adds much is asked whether it was meant. The most is the explorer with its editor. */
const most = { packed: 5_000_000, unpacked: 16_000_000 };

/** Packs, or lists what would be packed: npm's own record, `{ filename, size, unpackedSize, files: [{ path }] }`. */
export async function pack({ into } = {}) {
  const place = into === undefined ? ["--dry-run"] : ["--pack-destination", into];
  // What prepack would build is built already: its caller sees to it.
  const args = ["pack", "--json", "--ignore-scripts", ...place];
  const { stdout } = await mustRun("npm pack", ...npm(args), { stdio: ["ignore", "pipe", "pipe"] });
  return JSON.parse(stdout)[0];
}

/** What is wrong with a package's files, which lie in `folder`; one sentence each. */
export function tarballProblems({ size, unpackedSize, files }, manifest, folder = root) {
  const paths = files.map(({ path }) => path);
  const problems = paths.flatMap((path) => {
    if (!entries.test(path) || (path.startsWith("dist/") && !built.test(path)))
      return [`${path} is not listed.`];
    return unwanted.test(path) ? [`${path} has no place in the package.`] : [];
  });
  for (const target of targets(manifest)) {
    if (!paths.includes(target))
      problems.push(`package.json points at ${target}, which is not in the package.`);
  }
  for (const path of paths) {
    const text = readFileSync(join(folder, path), "latin1");
    const found = secrets.filter(([, pattern]) => pattern.test(text)).map(([what]) => what);
    if (text.includes(root)) found.push("the folder that it was built in");
    for (const what of found) problems.push(`${path} holds ${what}.`);
  }
  if (size > most.packed) problems.push(`It has ${size} bytes packed; ${most.packed} are the most.`);
  if (unpackedSize > most.unpacked)
    problems.push(`It has ${unpackedSize} bytes unpacked; ${most.unpacked} are the most.`);
  return problems;
}

/** Every file that `bin` and `exports` name. */
function targets({ bin = {}, exports = {} }) {
  const leaves = (value) => (typeof value === "string" ? [value] : Object.values(value).flatMap(leaves));
  return [...leaves(bin), ...leaves(exports)].map((path) => path.replace(/^\.\//, ""));
}
