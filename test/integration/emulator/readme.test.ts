/** The emulator's README tells what there is: every option, setting, fault, route and check. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { apiVersions } from "../../../emulator/api-versions";
import { audits } from "../../../emulator/audits";
import { startEmulator, type Emulator } from "../../../emulator/emulator";
import { limitPer30Seconds } from "../../../emulator/rate-limits";
import { settingsFrom } from "../../../emulator/settings";

const folder = join(__dirname, "..", "..", "..", "emulator");
const readme = readFileSync(join(folder, "README.md"), "utf8");

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator();
});
afterAll(() => emulator[Symbol.asyncDispose]());

it("has the connection string that the emulator announces", () => {
  expect(readme).toContain(emulator.connectionString.replace(`:${emulator.port}/`, ":4010/"));
});

it.each(Object.keys({ ...settingsFrom({}), stateFile: "" }))("has the setting %s", (setting) => {
  expect(readme).toMatch(new RegExp(`^\\|.*\`${setting}\`.*\\|`, "m"));
});

it("has each operation and api-version", () => {
  for (const operation of Object.keys(limitPer30Seconds)) expect(readme).toContain(`\`${operation}\``);
  for (const version of apiVersions) expect(readme).toContain(version);
});

it("has each option of the program", () => {
  const options = readFileSync(join(folder, "help.ts"), "utf8").matchAll(/^ {2}(--[a-z-]+)/gm);
  const names = [...options].map(([, name]) => name!);
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) expect(readme).toContain(name);
});

it("has each kind of fault", async () => {
  const response = await fetch(`${emulator.url}/_emulator/faults`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  const { error } = (await response.json()) as { error: string };
  const kinds = error.replace("kind is one of ", "").replace(".", "").split(", ");
  expect(kinds.length).toBeGreaterThan(10);
  for (const kind of kinds) expect(readme).toMatch(new RegExp(`^\\| +\`${kind}\``, "m"));
});

it("has each control route", () => {
  const cases = readFileSync(join(folder, "control.ts"), "utf8").matchAll(/case "([A-Z]+) ([a-z-]+)":/g);
  const routes = [...cases].map(([, method, route]) => [method!, route!] as const);
  expect(routes.length).toBeGreaterThan(10);
  for (const [method, route] of routes) {
    expect(readme).toMatch(new RegExp(`^\\| \`.*${method}.* /_emulator/${route}\``, "m"));
  }
});

it("tells apart the settings that may change while it runs", () => {
  const fixed = Object.keys({ ...settingsFrom({}), stateFile: "" }).filter(
    (setting) => !Object.hasOwn(emulator.settings.values(), setting),
  );
  expect(fixed.sort()).toEqual(
    ["host", "port", "tlsPort", "tls", "resources", "stateFile", "clock", "seed"].sort(),
  );
});

describe("its curl lines", () => {
  it("are requests that the control routes take", async () => {
    const bodies = [...readme.matchAll(/-d '(\{.*\})'/g)].map(([, body]) => body!);
    expect(bodies).toHaveLength(2);
    for (const body of bodies) {
      const headers = { "content-type": "application/json" };
      const response = await fetch(`${emulator.url}/_emulator/faults`, { method: "POST", headers, body });
      expect(response.status).toBe(200);
    }
  });
});

it("has each group of checks", () => {
  for (const tens of new Set(audits.map(({ id }) => id.slice(0, -1)))) {
    if (tens !== "ACSI-01") expect(readme).toMatch(new RegExp(`^\\| ${tens}\\d `, "m"));
  }
});
