/** Which test files need which program beside Node: read from what they import, so that no list has to be kept. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "./project.mjs";

/** A program's title in tools.mjs, and the helper that starts it. */
const starters = [
  ["redis-server", "test/support/redis-server.ts"],
  ["PostgreSQL", "test/support/postgres-server.ts"],
  ["nginx", "test/support/nginx.ts"],
  ["Chromium", "test/support/browser.ts"],
];
/** It can start a Redis, and does only for those who say `redis: true`. */
const world = "test/support/world.ts";

/** The test files, relative to the project, that need one of these programs. */
export function testsThatNeed(titles) {
  const helpers = starters.filter(([title]) => titles.includes(title)).map(([, file]) => file);
  const asks = titles.includes("redis-server") ? /\bredis: true\b/ : undefined;
  return testFiles().filter((file) => reaches(file, helpers, asks, new Set()));
}

function testFiles() {
  return readdirSync(join(root, "test"), { recursive: true })
    .map((path) => `test/${path.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".test.ts") && !path.includes("/node_modules/"))
    .sort();
}

function reaches(file, helpers, asks, seen) {
  if (helpers.includes(file)) return true;
  if (seen.has(file) || file === world) return false;
  seen.add(file);
  const text = readFileSync(join(root, file), "utf8");
  if (asks?.test(text)) return true;
  const imports = [...text.matchAll(/^(?:import (?!type )|\} )[^;]*?from "(\.[^"]+)";/gms)];
  return imports
    .map(([, specifier]) => `${join(dirname(file), specifier).replaceAll("\\", "/")}.ts`)
    .filter((path) => path.startsWith("test/") && existsSync(join(root, path)))
    .some((path) => reaches(path, helpers, asks, seen));
}
