/** Every command explains itself, and docs/cli.md says what the commands say. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { createCommandLine, everyCommand } from "../../../bin/command-line";
import { explanationOf } from "../../../bin/help";
import { renderCliPage } from "../../../bin/cli-page";
import { describeVariables } from "../../../src/config/variables";
import { runProgram } from "../../support/program";

const program = createCommandLine();
const commands = everyCommand(program);
const page = readFileSync(join(__dirname, "..", "..", "..", "docs", "cli.md"), "utf8");

describe.each(commands)("$path", ({ path, command }) => {
  it("has a description, examples that are commands, its environment and its exit codes", () => {
    expect(command.description()).toMatch(/^[a-z].{10,}[^.]$/);
    const explanation = explanationOf(command);
    expect(explanation?.environment).toBeTruthy();
    expect(Object.keys(explanation?.exitCodes ?? {})).toEqual(["0", "1"]);
    expect(explanation?.examples.length).toBeGreaterThan(0);
    for (const [line] of explanation?.examples ?? []) {
      const [, named = ""] = /npx acs-token-gateway (?:keys )?([a-z-]+)/.exec(line) ?? [];
      expect([...commands.map((each) => each.path.split(" ").at(-1)), "help"]).toContain(named);
      for (const [option] of line.matchAll(/--[a-z-]+/g)) {
        const known = commands.flatMap((each) => each.command.options.map(({ long }) => long));
        expect([...known, "--tls", "--state"]).toContain(option);
      }
    }
  });

  it("has options that say what they are, with units where they are numbers", () => {
    for (const option of command.options) {
      expect(option.description.length).toBeGreaterThan(10);
      if (/<(seconds|duration|number)>/.test(option.flags)) {
        expect(option.description).toMatch(/seconds|s, m, h or d|per minute/);
      }
    }
  });

  it("is in docs/cli.md", () => {
    expect(page).toContain(`## ${path}\n`);
  });
});

it("is what docs/cli.md says (npm run codegen writes it)", () => {
  expect(page).toBe(renderCliPage(program));
});

it("names variables that there are", () => {
  const known = [
    ...describeVariables().map(({ name }) => name),
    "EMULATOR_PORT",
    "API_KEY",
    "HTTPS_PROXY",
    "NO_PROXY",
  ];
  const named = commands.flatMap(({ command }) =>
    [...(explanationOf(command)?.environment ?? "").matchAll(/\b[A-Z]+_[A-Z_]+\b/g)].map(([name]) => name),
  );
  expect(named.filter((name) => !known.includes(name))).toEqual([]);
});

describe("the help", () => {
  it.each([
    [["--help"], /^Usage: acs-token-gateway/],
    [["help", "doctor"], /^Usage: acs-token-gateway doctor/],
    [["doctor", "--help"], /Exit codes:\n {2}0 {2}nothing is a problem/],
    [["keys", "help", "list"], /^Usage: acs-token-gateway keys list/],
    [["help", "emulator"], /^Serves the ACS Identity REST API/],
  ])("of %j is printed on stdout", async (args, text) => {
    const { code, stdout, stderr } = await runProgram({ args });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(text);
  });

  it.each([
    [["docter"], "acs-token-gateway: unknown command 'docter' (Did you mean doctor?)\n"],
    [["keys", "lst"], "acs-token-gateway: unknown command 'lst' (Did you mean list?)\n"],
    [["new-key"], "acs-token-gateway: new-key is now: keys new-api-key"],
  ])("for %j is the nearest command", async (args, text) => {
    const { code, stdout, stderr } = await runProgram({ args });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.startsWith(text)).toBe(true);
  });
});
