/** The packed tarball: what is in it, and that it works where nothing else of this project is. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { CreateIdentityAndTokenDocument } from "../../../operations/generated/operations";
import { announced, Program } from "../../support/program";
import { GraphqlClient } from "../../support/graphql-client";

const project = join(__dirname, "..", "..", "..");
const { version } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as { version: string };

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

let folder: string;
let packed: Packed;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acs-token-gateway-package-"));
  const output = await command(project, "npm", "pack", "--json", "--pack-destination", folder);
  [packed] = JSON.parse(output) as [Packed];
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "elsewhere", private: true }));
  const quiet = ["--prefer-offline", "--no-audit", "--no-fund"];
  await command(folder, "npm", "install", `./${packed.filename}`, ...quiet);
}, 180_000);

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

it("has what a user needs, and nothing else", () => {
  const paths = packed.files.map(({ path }) => path);
  expect(paths).toEqual(
    expect.arrayContaining([
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "client/README.md",
      "dist/bin/acs-token-gateway.js",
      "dist/client/cjs/index.js",
      "dist/client/esm/index.js",
      "dist/emulator/emulator.js",
      "dist/explorer/index.html",
      "dist/src/gateway.js",
      "dist/status/index.html",
      "docs/configuration.md",
      "emulator/README.md",
      "operations/quickstart.graphql",
      "package.json",
      "schema.graphql",
    ]),
  );
  const allowed =
    /^((dist|operations|docs)\/.*[^/]|package\.json|schema\.graphql|((emulator|client)\/)?README\.md|CHANGELOG\.md|SECURITY\.md|LICENSE)$/;
  expect(paths.filter((path) => !allowed.test(path))).toEqual([]);
  expect(paths.filter((path) => /(^|\/)(\.|test\/)|\.(tsbuildinfo|pem|key|log)$/.test(path))).toEqual([]);
});

it("has no source map, and names no folder of the machine that it was built on", () => {
  const paths = packed.files.map(({ path }) => path);
  expect(paths.filter((path) => path.endsWith(".map"))).toEqual([]);
  for (const path of paths) {
    const text = readFileSync(join(folder, "node_modules", "acs-token-gateway", path), "latin1");
    expect([path, text.includes(project), text.includes("sourceMappingURL=data:")]).toEqual([
      path,
      false,
      false,
    ]);
  }
});

it.each([
  [
    "ES modules",
    [
      "--input-type=module",
      "--eval",
      'console.log(typeof (await import("acs-token-gateway/client")).createTokenRefresher)',
    ],
  ],
  ["CommonJS", ["--eval", 'console.log(typeof require("acs-token-gateway/client").createTokenRefresher)']],
])("has the client for %s", async (_how, args) => {
  expect(await command(folder, process.execPath, ...args)).toBe("function\n");
});

it.each([
  ["NodeNext", "NodeNext"],
  ["ESNext", "Bundler"],
])(
  "has types that the credential accepts (module %s, resolution %s)",
  async (module, moduleResolution) => {
    const file = join(folder, "app.ts");
    await writeFile(
      file,
      `import { createTokenRefresher, type TokenRefresher } from "acs-token-gateway/client";
    import { AzureCommunicationTokenCredential } from "@azure/communication-common";
    const tokenRefresher: TokenRefresher = createTokenRefresher({ endpoint: "", getAuthorization: () => "", scopes: ["CHAT"] });
    export const credential = new AzureCommunicationTokenCredential({ tokenRefresher, refreshProactively: true });`,
    );
    const compiler = join(project, "node_modules", "typescript", "bin", "tsc");
    const options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "ES2022"];
    const kind = ["--module", module, "--moduleResolution", moduleResolution];
    expect(await command(folder, process.execPath, compiler, ...options, ...kind, file)).toBe("");
  },
  30_000,
);

it("says its version through npx", async () => {
  expect(await command(folder, "npx", "--no-install", "acs-token-gateway", "--version")).toBe(`${version}\n`);
});

it("prints the very schema that is published with it", async () => {
  const file = join("node_modules", "acs-token-gateway", "schema.graphql");
  const printed = await command(folder, "npx", "--no-install", "acs-token-gateway", "schema");
  expect(printed).toBe(readFileSync(join(folder, file), "utf8"));
});

it("starts, serves its explorer, issues a token and ends on Ctrl-C", async () => {
  await using program = new Program({
    file: join(folder, "node_modules", ".bin", "acs-token-gateway"),
    cwd: folder,
  });
  const { url, origin, apiKey } = await announced(program);
  const client = new GraphqlClient(url, { "x-api-key": apiKey });
  const { createIdentity } = await client.data(CreateIdentityAndTokenDocument, { scopes: ["CHAT", "VOIP"] });
  expect(createIdentity.accessToken?.token).toMatch(/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/);
  const explorer = await fetch(`${origin}/explorer`);
  expect(explorer.status).toBe(200);
  const [, script = ""] = /<script[^>]* src="([^"]+)"/.exec(await explorer.text()) ?? [];
  expect((await fetch(new URL(script, `${origin}/explorer/`))).status).toBe(200);
  expect(await program.end("SIGINT")).toMatchObject({ code: 0 });
}, 30_000);

/** Runs npm's commands as a user of another project does: without what the npm of this test run has set. */
async function command(cwd: string, file: string, ...args: string[]): Promise<string> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^npm_(lifecycle|package|command|config_local_prefix)/.test(name) && name !== "NODE_ENV",
  );
  const { stdout } = await promisify(execFile)(file, args, { cwd, env: Object.fromEntries(inherited) });
  return stdout;
}
