/** What the documentation has people set is what the gateway understands. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { loadConfig } from "../../src/config";
import { describeVariables } from "../../src/config/variables";

const root = join(__dirname, "..", "..");
const names = new Set(describeVariables().map(({ name }) => name));
const recipes = readdirSync(join(root, "docs", "recipes")).map((name) => join("docs", "recipes", name));
const pages = ["README.md", "docs/access.md", "docs/federation.md", "docs/configuration.md", ...recipes];

/** What stands for the reader's own. */
function filledIn(text: string): string {
  return text
    .replace(/<SHA-256[^>]*>/g, "a".repeat(64))
    .replace(/<base64 of 32 bytes>/g, Buffer.alloc(32, 1).toString("base64"))
    .replace(/<(?:tenant|client|resource) id>/g, "11111111-1111-4111-8111-111111111111")
    .replace(/<key>|…/g, Buffer.alloc(64, 1).toString("base64"))
    .replace(/<[^>]+>/g, "x");
}

/** Outside production the program brings an emulator along when no resource is named. */
function resourceOf({ ACS_CONNECTION_STRING: key, ACS_ENDPOINT: endpoint }: Record<string, string>) {
  const emulator = `endpoint=http://127.0.0.1:4010/;accesskey=${Buffer.alloc(64, 1).toString("base64")}`;
  return key === undefined && endpoint === undefined ? { ACS_CONNECTION_STRING: emulator } : {};
}

/** The variables that each command of a page sets, and those that a manifest does. */
function settingsIn(page: string): Record<string, string>[] {
  const text = readFileSync(join(root, page), "utf8");
  const found: Record<string, string>[] = [];
  for (const [, block = ""] of text.matchAll(/^ *```(?:sh)?\n([^]*?)^ *```/gm)) {
    const commands = block.replaceAll("\\\n", " ").split("\n");
    for (const command of commands) {
      const set = [...command.matchAll(/(?:^|\s)([A-Z_]+)=(?:'([^']*)'|"([^"]*)"|(\S*))/g)]
        .filter(([, name = ""]) => names.has(name))
        .map(([, name = "", single, double, bare]) => [name, filledIn(single ?? double ?? bare ?? "")]);
      if (set.length > 0) found.push(Object.fromEntries(set) as Record<string, string>);
    }
  }
  for (const [, block = ""] of text.matchAll(/^```yaml\n([^]*?)^```/gm)) {
    const set = [
      ...block.matchAll(/\{ name: ([A-Z_]+), value: "?(.*?)"? \}/g),
      ...block.matchAll(/^ {2}([A-Z_]+): "(.*)"$/gm),
    ].map(([, name = "", value = ""]) => [name, filledIn(value)]);
    if (set.length > 0) found.push(Object.fromEntries(set) as Record<string, string>);
  }
  return found;
}

describe.each(pages)("%s", (page) => {
  it("sets what the gateway understands", () => {
    for (const settings of settingsIn(page)) {
      const [unknown] = Object.keys(settings).filter((name) => !names.has(name));
      expect([settings, unknown]).toEqual([settings, undefined]);
      // A line may show one variable of a production gateway, and not the others that it must have.
      const alone = settings.NODE_ENV === "production" && Object.keys(settings).length < 3;
      if (!alone) expect(() => loadConfig({ ...resourceOf(settings), ...settings })).not.toThrow();
    }
  });
});

it("finds them", () => {
  const found = pages.flatMap((page) => settingsIn(page));
  expect(found.length).toBeGreaterThan(5);
  expect(found.some(({ REPLICAS, ACS_CONNECTION_STRING }) => REPLICAS === "2" && ACS_CONNECTION_STRING)).toBe(
    true,
  );
});
