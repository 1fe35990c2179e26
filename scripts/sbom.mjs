/** `npm run sbom [-- FILE]`: the CycloneDX bill of materials of all that users get, into a file; validated. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { ensureBuilt } from "./lib/build.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { main, root, say } from "./lib/project.mjs";

await main(async ([file = join(root, ".cache", "release", "sbom.cdx.json")]) => {
  await ensureInstalled();
  await ensureBuilt(["explorer", "status page"]);
  // Loaded late: it needs packages that may just have been installed.
  const [{ sbomOf }, { givenOn }] = await Promise.all([
    import("./lib/release/sbom.mjs"),
    import("./lib/release/licenses.mjs"),
  ]);
  const { name } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const text = await sbomOf(name, givenOn());
  mkdirSync(dirname(resolve(file)), { recursive: true });
  writeFileSync(file, text);
  say(`${JSON.parse(text).components.length} components: ${file}`);
});
