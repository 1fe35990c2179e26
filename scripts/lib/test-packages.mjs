/** The packages that only the tests of federation and deployment need, which the gateway's own package-lock.json does not have. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "./project.mjs";

/**
 * For `ensureInstalled`: each folder of test/e2e/federation/ and test/e2e/deploy/ that has a package-lock.json.
 * @param names those folders alone, such as `federation/routers`
 */
export function testPackages(names) {
  const tests = join(root, "test", "e2e");
  const folders = (names ?? everyFolder(tests)).map((name) => join(tests, name));
  // One of them would download a program after it is installed.
  return {
    folders,
    what: "the packages of the tests of federation and deployment",
    options: ["--ignore-scripts"],
  };
}

function everyFolder(tests) {
  return ["federation", "deploy"]
    .flatMap((parent) => readdirSync(join(tests, parent)).map((name) => join(parent, name)))
    .filter((name) => existsSync(join(tests, name, "package-lock.json")));
}
