/** What the files under deploy/ may say of the gateway: variables and paths that there are. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describeVariables } from "../../../../src/config/variables";
import { root } from "./tools";

/** Beside the gateway's own: what Node.js and the Azure SDK read. */
const others = ["NODE_EXTRA_CA_CERTS", "AZURE_CLIENT_ID"];

/** The names that are no variables of the gateway. */
export function unknownVariables(names: Iterable<string>): string[] {
  const known = new Set([...describeVariables().map(({ name }) => name), ...others]);
  return [...names].filter((name) => !known.has(name));
}

/** The paths under /health/ that the gateway serves. */
export function healthPaths(): readonly string[] {
  const source = readFileSync(join(root, "src", "server", "operational-routes.ts"), "utf8");
  return [...new Set([...source.matchAll(/"(\/health\/\w+)"/g)].map(([, path = ""]) => path))];
}
