/** Installs the packages that only the federation tests need, which the gateway's own package-lock.json does not have. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalledIn } from "./install.mjs";
import { root } from "./project.mjs";

/** After it, each folder of test/federation/ that has a package-lock.json has its packages. None of their scripts runs. */
export function ensureTestPackages() {
  const parent = join(root, "test", "federation");
  const folders = readdirSync(parent)
    .map((name) => join(parent, name))
    .filter((folder) => existsSync(join(folder, "package-lock.json")));
  // One of them would download a program after it is installed.
  return ensureInstalledIn(folders, "the federation tests' packages", "--ignore-scripts");
}
