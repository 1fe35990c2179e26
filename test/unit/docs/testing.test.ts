/** docs/testing.md: the tests that hold the promises exist, under the names and in the parts that it tells. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "@jest/globals";

const root = join(__dirname, "..", "..", "..");
const page = readFileSync(join(root, "docs", "testing.md"), "utf8");
const rows = [...page.matchAll(/^\| (.+?) +\| (\w+) +\| `(test\/\S+)` +\| (.+?) +\|$/gm)].map(
  ([, promise = "", part = "", file = "", name = ""]) => ({ promise, part, file, name }),
);

it("has a test for each promise", () => {
  const lines = page.split("\n").filter((line) => /^\| (?!promise|-)/.test(line));
  expect(rows).toHaveLength(lines.length);
  expect(rows.length).toBeGreaterThan(50);
});

it.each(rows)("$promise: $name", ({ part, file, name }) => {
  expect(existsSync(join(root, file))).toBe(true);
  const folder = part === "smoke" ? "test/e2e/smoke/" : `test/${part}/`;
  expect(file.startsWith(folder)).toBe(true);
  expect(titles(readFileSync(join(root, file), "utf8"))).toContain(name);
});

/** The titles of a file's tests and groups, without the seed, which differs from run to run. */
function titles(text: string): string[] {
  return [...text.matchAll(/(?:\b(?:it|describe)|\))\(\s*(["`])(.*?)\1/g)].map(([, , title = ""]) =>
    title.replace(/ \(seed.*\)$/i, ""),
  );
}
