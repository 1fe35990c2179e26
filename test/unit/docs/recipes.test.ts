/** The recipes cannot rot: every variable, manifest and path in them is one that the gateway accepts. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { parse } from "yaml";
import { loadConfig, type Environment } from "../../../src/config";
import { describeVariables } from "../../../src/config/variables";

const root = join(__dirname, "..", "..", "..");
const folder = join(root, "docs", "recipes");
const recipes = readdirSync(folder).filter((name) => name.endsWith(".md"));
const resource = {
  ACS_CONNECTION_STRING: "endpoint=https://contoso.communication.azure.com/;accesskey=c2VjcmV0",
};
const gatewayVariables = new Set(describeVariables().map(({ name }) => name));

interface Block {
  readonly where: string;
  readonly text: string;
}

/** The blocks of code in some languages, with the placeholders replaced by what could stand there. */
function blocks(recipe: string, ...languages: string[]): Block[] {
  const page = readFileSync(join(folder, recipe), "utf8");
  return [...page.matchAll(/^( *)```(\w*)\n([^]*?)^\1```/gm)]
    .filter(([, , language = ""]) => languages.includes(language))
    .map(({ 1: indent = "", 3: text = "", index }) => ({
      where: `${recipe}:${page.slice(0, index).split("\n").length}`,
      text: filled(text.replaceAll(new RegExp(`^${indent}`, "gm"), "")),
    }));
}

function filled(text: string): string {
  const secrets = text
    .replaceAll("<SHA-256 of the key>", "a".repeat(64))
    .replaceAll("<base64 of 32 bytes>", Buffer.alloc(32, 1).toString("base64"))
    .replaceAll("<access key>", "c2VjcmV0");
  return secrets.replaceAll(/<([a-z][a-zA-Z ]*)>/g, (_, name: string) =>
    name.toLowerCase().replaceAll(" ", "-"),
  );
}

/** The assignments that a shell would make for the gateway, quotes taken off. */
function assignments({ text }: Block, isShell: boolean): Environment {
  const found = isShell
    ? text.replaceAll("\\\n", " ").matchAll(/(?:^|\s)([A-Z][A-Z0-9_]*)=('[^']*'|"[^"]*"|[^\s'"]+)/gm)
    : text.matchAll(/^([A-Z][A-Z0-9_]*)=(.*)$/gm);
  const all = [...found].map(([, name = "", value = ""]) => [name, value.replace(/^(['"])([^]*)\1$/, "$2")]);
  return Object.fromEntries(all) as Environment;
}

/** What the configuration says of an environment, which needs no resource of its own. */
const accepted = (environment: Environment) =>
  loadConfig({
    ...(environment.ACS_CONNECTION_STRING === undefined && environment.ACS_ENDPOINT === undefined
      ? resource
      : {}),
    ...environment,
  });

describe.each(recipes)("%s", (recipe) => {
  it("sets variables that the gateway accepts", () => {
    for (const [language, isShell] of [
      ["sh", true],
      ["env", false],
    ] as const) {
      for (const block of blocks(recipe, language)) {
        const environment = assignments(block, isShell);
        // An .env block is the gateway's alone; a shell has variables of other programs as well.
        const foreign = Object.keys(environment).filter((name) => !gatewayVariables.has(name));
        if (!isShell)
          expect([block.where, Object.keys(environment).length > 0, foreign]).toEqual([
            block.where,
            true,
            [],
          ]);
        expect(() => accepted(environment)).not.toThrow();
      }
    }
  });

  it("names commands and npm scripts that there are", () => {
    const scripts = (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: object })
      .scripts;
    for (const { where, text } of blocks(recipe, "sh")) {
      const unknown = [...text.matchAll(/npm (?:run (\S+)|(start|test)\b)/g)]
        .map(([, run, own]) => run ?? own ?? "")
        .filter((name) => !Object.hasOwn(scripts, name));
      expect([where, unknown]).toEqual([where, []]);
      const commands = [...text.matchAll(/npx acs-token-gateway (\S+)/g)].map(([, command = ""]) => command);
      expect([
        where,
        commands.filter(
          (each) => !["keys", "check", "doctor", "resource-id", "start", "schema"].includes(each),
        ),
      ]).toEqual([where, []]);
    }
  });

  it("sets entries that mean what the text says", () => {
    const issuers = blocks(recipe, "env", "sh").flatMap((block) => {
      const { OIDC_ISSUERS } = assignments(block, block.text.includes("npm") || block.text.includes("npx"));
      return OIDC_ISSUERS === undefined ? [] : accepted({ OIDC_ISSUERS }).access.issuers;
    });
    for (const { issuer, audiences } of issuers) {
      expect(issuer).toMatch(/^https:\/\/[\w.-]+(\/[\w.-]+)*\/?$/);
      expect(audiences.join()).not.toMatch(/[<>]/);
    }
  });
});

describe("the Secret and the values for Kubernetes", () => {
  const [secret, values] = blocks("kubernetes.md", "yaml").map(({ text }) => parse(text) as unknown) as [
    { readonly metadata: { readonly name: string }; readonly stringData: Environment },
    { readonly config: Environment; readonly image: { readonly repository: string } },
  ];
  const chart = parse(
    readFileSync(join(root, "deploy", "helm", "acs-token-gateway", "values.yaml"), "utf8"),
  ) as {
    readonly existingSecret: string;
    readonly secretVariables: readonly string[];
    readonly secretFiles: readonly string[];
    readonly image: object;
  };

  it("configure a production gateway, with every variable a known one", () => {
    const environment = { NODE_ENV: "production", ...secret.stringData, ...values.config };
    expect(accepted(environment).production).toBe(true);
    expect(Object.keys(environment).filter((name) => !gatewayVariables.has(name))).toEqual([]);
  });

  it("are what the chart reads", () => {
    expect(secret.metadata.name).toBe(chart.existingSecret);
    expect(Object.keys(secret.stringData).sort()).toEqual(
      [...chart.secretVariables, ...chart.secretFiles].sort(),
    );
    expect(Object.keys(values.image).filter((name) => !(name in chart.image))).toEqual([]);
  });
});

it("has in the page on capacity what its formulas give", () => {
  const page = readFileSync(join(root, "docs", "capacity.md"), "utf8");
  const number = (text = "") => Number(text.replaceAll(/[,% ]/g, ""));
  const [quarter, hour] = page.split("The same with half of them in an hour");
  for (const [text, seconds] of [
    [quarter, 900],
    [hour, 3_600],
  ] as const) {
    const rows = [...(text ?? "").matchAll(/^\| +([\d,]+) \|(.*)\|$/gm)].map(([, users, rest = ""]) => ({
      users: number(users),
      cells: rest.split("|").map((cell) => number(cell)),
    }));
    expect(rows.map(({ users }) => users)).toEqual([10_000, 100_000, 1_000_000]);
    for (const { users, cells } of rows) {
      const [issuances = 0, percent = 0, resources, cached = 0, gateways] = cells;
      const perSecond = users / 2 / seconds;
      expect(issuances / perSecond).toBeCloseTo(1, 1);
      expect(percent / ((perSecond * 100) / (1_000 / 30))).toBeCloseTo(1, 1);
      expect(resources).toBe(Math.ceil(perSecond / 25));
      expect(cached / (perSecond * 5)).toBeCloseTo(1, 1);
      expect(gateways).toBe(Math.max(2, Math.ceil((perSecond * 5) / 4_000) + 1));
    }
  }
});

it("lists in the index every page there is, in the recipes too", () => {
  const index = readFileSync(join(root, "docs", "README.md"), "utf8");
  const pages = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .map((page) => page.replaceAll("\\", "/"))
    .filter((page) => page.endsWith(".md") && page !== "README.md");
  expect(pages.filter((page) => !index.includes(`](${page})`))).toEqual([]);
});

it("has the rights of a Redis user in the recipe as they are tested", () => {
  const user = (page: string) =>
    /^ACL SETUSER.*$/m.exec(readFileSync(join(root, "docs", page), "utf8"))?.[0] ?? page;
  expect(user("recipes/redis-cluster.md").replace("<password>", "password")).toBe(user("redis.md"));
});
