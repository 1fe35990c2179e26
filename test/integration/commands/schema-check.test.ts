/** `npm run schema:check`: which changes of the schema it takes for breaking. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { runProgram } from "../../support/program";

const root = join(__dirname, "..", "..", "..");
const committed = readFileSync(join(root, "schema.graphql"), "utf8");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acs-token-gateway-schema-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function check(changed: string, ...args: string[]) {
  const file = join(folder, `${Math.random()}.graphql`);
  await writeFile(file, changed);
  const script = join(root, "scripts", "schema-check.mjs");
  const base = args.length > 0 ? args : ["--base", join(root, "schema.graphql")];
  return runProgram({ file: process.execPath, args: [script, ...base, "--schema", file] });
}

it.each([
  ["a field that is gone", "  source: TokenSource!", "  origin: TokenSource!", "Field 'source' was removed"],
  ["a type that is another", "expiresOn: DateTime!", "expiresOn: DateTime", "changed type"],
  ["a value that is gone", /^ {2}VOIP_JOIN$/m, "  VOIP_OTHER", "VOIP_JOIN"],
  ["an argument that is required", "identity(id: ID!)", "identity(id: ID!, tenant: ID!)", "tenant"],
  ["an entity without its key", ' @key(fields: "id")', "", "refer to the entity by this key"],
  [
    "a field that supergraphs no longer see",
    "viewer: Viewer! @authenticated",
    "viewer: Viewer! @authenticated @inaccessible",
    "vanishes from the supergraph",
  ],
])("refuses %s", async (_what, find, replace, told) => {
  const changed = committed.replace(find, replace);
  expect(changed).not.toBe(committed);
  const { code, stderr } = await check(changed);
  expect([code, stderr]).toEqual([1, expect.stringContaining("BREAKING")]);
  expect(stderr).toContain(told);
});

it("lets everything else pass, and tells of it", async () => {
  const added = committed.replace("type Query {", "type Query {\n  version: String");
  const { code, stderr } = await check(added);
  expect([code, stderr]).toEqual([0, expect.stringContaining("safe      Field 'version' was added")]);
  const stricter = committed.replace("cause: RevocationCause!", "cause: RevocationCause! @authenticated");
  expect((await check(stricter)).stderr).toMatch(/dangerous .*authenticated/);
  expect(await check(committed)).toMatchObject({
    code: 0,
    stderr: expect.stringContaining("Nothing has changed"),
  });
});

it("compares with a commit, and says what it does not find", async () => {
  expect(await check(committed, "--base", "HEAD")).toMatchObject({ code: expect.any(Number) });
  const { code, stderr } = await check(committed, "--base", "no-such-ref");
  expect([code, stderr.trim()]).toEqual([
    1,
    "There is no file and no commit no-such-ref with a schema.graphql.",
  ]);
  const broken = await check("type Query {");
  expect([broken.code, broken.stderr]).toEqual([1, expect.stringContaining("is no GraphQL schema")]);
});
