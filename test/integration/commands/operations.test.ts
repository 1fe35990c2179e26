/** `operations` makes the same list of the same documents, and says what is wrong with others. */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { operationManifest } from "../../../bin/operations";
import { readOperationList } from "../../../src/server/operation-list";
import { runProgram } from "../../support/program";

let folder: string;
const file = (name: string, text: string) => {
  mkdirSync(join(folder, name, ".."), { recursive: true });
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "operations-"));
  file("app/a.graphql", "query Who { viewer { ...Name ...Kind } }");
  file(
    "app/deep/b.gql",
    "# a comment\nfragment Name on Viewer { name }\nmutation New { createIdentity { identity { id } } }",
  );
  file("app/deep/c.graphql", "fragment Kind on Viewer { kind }");
  file("app/notes.txt", "not GraphQL");
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe("the operations command", () => {
  it("writes a list that a gateway reads, of a pattern that no shell has resolved", async () => {
    file("good/x.graphql", "query Who { viewer { name } }");
    const out = join(folder, "manifest.json");
    const ended = await runProgram({ args: ["operations", join(folder, "good", "*.graphql"), "--out", out] });
    expect(ended).toMatchObject({ code: 0, stdout: "", stderr: `1 operations written to ${out}.\n` });
    const body = "query Who {\n  viewer {\n    name\n  }\n}";
    const id = createHash("sha256").update(body).digest("hex");
    expect(JSON.parse(readFileSync(out, "utf8"))).toEqual({
      format: "apollo-persisted-query-manifest",
      version: 1,
      operations: [{ id, name: "Who", type: "query", body }],
    });
    expect(readOperationList(out, true).size).toBe(1);
  });

  it("tells everything that is wrong in one message, with file and line, and writes nothing", async () => {
    const bad = file("bad/x.graphql", "query A {\n  viewer { nothing }\n}\nquery B { ...Missing }");
    const { code, stdout, stderr } = await runProgram({ args: ["operations", bad] });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^acs-token-gateway: The documents cannot be used:\n/);
    expect(stderr).toContain(`${bad}:2: Cannot query field "nothing" on type "Viewer".`);
    expect(stderr).toContain(`${bad}:4: Unknown fragment "Missing".`);
  });
});

describe("the list", () => {
  it("has each operation with the fragments that it uses, from whichever files, sorted", async () => {
    const { operations } = await operationManifest([join(folder, "app")]);
    expect(operations.map(({ name, type }) => [name, type])).toEqual([
      ["New", "mutation"],
      ["Who", "query"],
    ]);
    expect(operations[1]?.body.match(/fragment \w+/g)).toEqual(["fragment Kind", "fragment Name"]);
  });

  it("is the same for the same operations in other files and another order", async () => {
    const files = ["app/deep/c.graphql", "app/a.graphql", "app/deep/b.gql"].map((name) => join(folder, name));
    const together = file("together.graphql", files.map((name) => readFileSync(name, "utf8")).join("\n"));
    const lists = [[join(folder, "app")], files, [...files, join(folder, "app/**/*.gql")], [together]];
    const [first, ...others] = await Promise.all(lists.map(operationManifest));
    for (const other of others) expect(other).toEqual(first);
  });

  it.each([
    ["an operation without a name", "{ viewer { name } }", "Every operation needs a name."],
    [
      "two operations of one name",
      "query A { viewer { name } } query A { viewer { kind } }",
      'only one operation named "A"',
    ],
    [
      "a fragment that nobody uses",
      "query A { viewer { name } } fragment f on Viewer { name }",
      '"f" is never used',
    ],
    ["what is no GraphQL", "query A {", "Syntax Error"],
    ["nothing but a comment", "# soon", "Syntax Error"],
    [
      "an operation that the gateway would refuse",
      `query A { ${Array.from({ length: 334 }, (_, i) => `a${i}: __typename`).join(" ")} }`,
      "The operation A has more than 1000 tokens",
    ],
  ])("is not made of %s", async (_case, text, message) => {
    await expect(operationManifest([file("wrong.graphql", text)])).rejects.toThrow(message);
  });

  it("is not made of files that are not there", async () => {
    for (const pattern of ["nowhere.graphql", "nowhere/*.graphql", "app/*.txt/x"]) {
      await expect(operationManifest([join(folder, pattern)])).rejects.toThrow("There is no file");
    }
  });
});
