/** The packages that only the tests of federation and deployment need, which the gateway's own package-lock.json does not have. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "./project.mjs";

/** For `ensureInstalled`: each folder of test/e2e/federation/ and test/e2e/deploy/ that has a package-lock.json. */
export function testPackages() {
  const folders = ["federation", "deploy"]
    .map((name) => join(root, "test", "e2e", name))
    .flatMap((parent) => readdirSync(parent).map((name) => join(parent, name)))
    .filter((folder) => existsSync(join(folder, "package-lock.json")));
  // One of them would download a program after it is installed.
  return {
    folders,
    what: "the packages of the tests of federation and deployment",
    options: ["--ignore-scripts"],
  };
}
