/** Installs the packages of a package-lock.json where its node_modules does not hold them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { alone } from "./lock.mjs";
import { root, say } from "./project.mjs";
import { mustRun, together } from "./run.mjs";

/** The gateway's own packages, those of its development included. */
export const ownPackages = { folders: [root], what: "packages", options: [] };

/**
 * After it, each folder's node_modules is what its package-lock.json says.
 * @param {...{ folders: string[], what: string, options: string[] }} sets installed beside each other; `what` tells the
 * user what they hold, `options` are npm's
 */
export async function ensureInstalled(...sets) {
  const wanted = sets.length > 0 ? sets : [ownPackages];
  const missing = () => wanted.filter(({ folders }) => !folders.every(isInstalled));
  if (missing().length === 0) return;
  await alone(async () => {
    const work = missing();
    if (work.length === 0) return;
    const started = Date.now();
    say(`Installing ${work.map(({ what }) => what).join(", and ")} (npm ci)…`);
    await together(
      work.flatMap(({ folders, options }) =>
        folders.filter((folder) => !isInstalled(folder)).map((folder) => install(folder, options)),
      ),
    );
    say(`Installed in ${Math.round((Date.now() - started) / 1000)} s.`);
  });
}

function install(folder, options) {
  // NODE_ENV=production would leave out what builds the gateway; a dry run of the caller would install nothing.
  const args = ["ci", "--include=dev", "--no-audit", "--no-fund", "--no-dry-run", ...options];
  return mustRun("npm ci", ...npm(args), { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
}

/** Whether node_modules is that already, by npm's own record of what it has installed, which it writes last. */
export function isInstalled(folder) {
  const wanted = packagesOf(join(folder, "package-lock.json"));
  const present = packagesOf(join(folder, "node_modules", ".package-lock.json"));
  if (!present) return false;
  const same = ([path, { version, integrity, optional }]) => {
    const found = present[path];
    // Optional packages are for some platforms only.
    return found ? found.version === version && found.integrity === integrity : optional === true;
  };
  return Object.entries(wanted).every(same) && Object.keys(present).every((path) => path in wanted);
}

function packagesOf(file) {
  try {
    const { packages } = JSON.parse(readFileSync(file, "utf8"));
    return Object.fromEntries(Object.entries(packages).filter(([path]) => path !== ""));
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** The npm that runs this script, or the one on the PATH. */
export function npm(args) {
  const cli = process.env.npm_execpath;
  if (cli?.endsWith("npm-cli.js")) return [process.execPath, [cli, ...args]];
  return process.platform === "win32" ? ["cmd.exe", ["/d", "/c", "npm", ...args]] : ["npm", args];
}
