/** `npm run schema:check [-- --base REF-OR-FILE] [-- --schema FILE]`: does the schema break clients or supergraphs of an earlier one? */
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { diff, CriticalityLevel } from "@graphql-inspector/core";
import { buildSchema } from "graphql";
import { ensureBuilt, program } from "./lib/build.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { main, Problem, say } from "./lib/project.mjs";
import { mustRun, run } from "./lib/run.mjs";

const quiet = { stdio: ["ignore", "pipe", "pipe"] };

await main(async (args) => {
  const { values } = options(args);
  await ensureInstalled();
  const base = await earlier(values.base);
  const schema = values.schema === undefined ? await built() : read(values.schema);
  const changes = await diff(
    schemaOf(base.text, base.name),
    schemaOf(schema, values.schema ?? "the classes"),
    [federation],
  );
  const marks = [
    [CriticalityLevel.Breaking, "BREAKING "],
    [CriticalityLevel.Dangerous, "dangerous"],
    [CriticalityLevel.NonBreaking, "safe     "],
  ];
  say(changes.length === 0 ? `Nothing has changed since ${base.name}.` : `Since ${base.name}:`);
  for (const [level, mark] of marks) {
    const found = changes.filter(({ criticality }) => criticality.level === level);
    for (const { message, criticality } of found) {
      say(
        `  ${mark} ${message}${criticality.reason && level !== CriticalityLevel.NonBreaking ? ` (${criticality.reason})` : ""}`,
      );
    }
    if (level === CriticalityLevel.Breaking && found.length > 0) process.exitCode = 1;
  }
  say(process.exitCode ? "Clients or supergraphs would break." : "No client and no supergraph breaks.");
});

/**
 * What breaks a supergraph, though no client sees it: an entity that can no longer be referred to, and what becomes
 * invisible. A field that asks for more of its caller is worth a look.
 */
function federation({ changes }) {
  const breaking = {
    key: { removed: "other subgraphs refer to the entity by this key" },
    inaccessible: { added: "it vanishes from the supergraph" },
  };
  const dangerous = ["authenticated", "requiresScopes", "cost", "listSize"];
  return changes.flatMap((change) => {
    // Said already of the directive itself.
    if (change.type.startsWith("DIRECTIVE_USAGE_ARGUMENT")) return [];
    const verb = /^DIRECTIVE_USAGE_.*_(ADDED|REMOVED)$/.exec(change.type)?.[1]?.toLowerCase();
    const used = /^Directive '@?(\w+)'/.exec(change.message)?.[1];
    if (!verb || !used) return [change];
    const reason = breaking[used]?.[verb];
    const calm = dangerous.includes(used) && verb === "added" ? "Dangerous" : "NonBreaking";
    const criticality = { level: CriticalityLevel[reason ? "Breaking" : calm], reason };
    return [{ ...change, criticality }];
  });
}

function options(args) {
  try {
    return parseArgs({ args, options: { base: { type: "string" }, schema: { type: "string" } } });
  } catch (error) {
    throw new Problem(error.message);
  }
}

/** The schema to compare with: a file, or schema.graphql of a commit; the last release's when nothing is said. */
async function earlier(base) {
  if (base !== undefined && existsSync(base)) return { name: base, text: read(base) };
  const ref = base ?? (await lastRelease()) ?? (await mainBranch()) ?? "HEAD";
  const shown = await run("git", ["show", `${ref}:schema.graphql`], quiet);
  if (shown.code !== 0) throw new Problem(`There is no file and no commit ${ref} with a schema.graphql.`);
  return { name: ref, text: shown.stdout };
}

async function lastRelease() {
  const { code, stdout } = await run("git", ["describe", "--tags", "--abbrev=0", "--match", "v*"], quiet);
  return code === 0 ? stdout.trim() : undefined;
}

async function mainBranch() {
  const { code } = await run("git", ["rev-parse", "--verify", "--quiet", "origin/main"], quiet);
  return code === 0 ? "origin/main" : undefined;
}

async function built() {
  await ensureBuilt();
  return (await mustRun("Printing the schema", process.execPath, [program, "schema"], quiet)).stdout;
}

function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new Problem(`${file} cannot be read.`);
  }
}

function schemaOf(text, name) {
  try {
    // The federation directives are defined by their specification alone.
    return buildSchema(text, { assumeValidSDL: true });
  } catch (error) {
    throw new Problem(`${name} is no GraphQL schema: ${error.message}`);
  }
}
