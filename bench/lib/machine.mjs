/** The machine and the versions that a run was made on. */
import { readFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { createRequire } from "node:module";
import { coreOf, isPinned } from "./cores.mjs";

const require = createRequire(import.meta.url);

/** Rows of a table: what, and which. */
export function describeMachine({ redis }) {
  const [{ model }] = cpus();
  const versions = ["mercurius", "fastify", "graphql-jit", "graphql-yoga", "express"].map((name) =>
    version(name),
  );
  return [
    ["CPU", `${model.trim()}, ${cpus().length} cores`],
    ["Memory", `${Math.round(totalmem() / 2 ** 30)} GiB`],
    ["System", `${distribution()}, ${type()} ${release()}`],
    ["Node.js", process.versions.node],
    ["Redis", redis.version],
    [
      "Pinning",
      isPinned ? `servers on core ${coreOf.server}; load, Redis and emulator on core ${coreOf.load}` : "none",
    ],
    ["Compared with", [version("@apollo/server"), ...versions].join(", ")],
  ];
}

function distribution() {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"))[1];
  } catch {
    return process.platform;
  }
}

/** Read as a file: not every package lets its package.json be imported. */
function version(name) {
  for (const folder of require.resolve.paths(name)) {
    try {
      return `${name} ${JSON.parse(readFileSync(`${folder}/${name}/package.json`, "utf8")).version}`;
    } catch {
      // It is in a folder further up.
    }
  }
  return name;
}
