/** Installs the packages that only the tests of federation and deployment need, which the gateway's own package-lock.json does not have. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalledIn } from "./install.mjs";
import { root } from "./project.mjs";

/** After it, each folder of test/federation/ and test/deploy/ that has a package-lock.json has its packages. None of their scripts runs. */
export function ensureTestPackages() {
  const folders = ["federation", "deploy"]
    .map((name) => join(root, "test", name))
    .flatMap((parent) => readdirSync(parent).map((name) => join(parent, name)))
    .filter((folder) => existsSync(join(folder, "package-lock.json")));
  // One of them would download a program after it is installed.
  return ensureInstalledIn(
    folders,
    "the packages of the tests of federation and deployment",
    "--ignore-scripts",
  );
}
