/** The recipes cannot rot: every variable, manifest and path in them is one that the gateway accepts. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import { loadConfig, type Environment } from "../../src/config";
import { describeVariables } from "../../src/config/variables";

const root = join(__dirname, "..", "..");
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
        commands.filter((each) => !["new-key", "check", "resource-id", "start", "schema"].includes(each)),
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

interface Container {
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly lifecycle: {
    readonly preStop: { readonly exec: { readonly command: readonly [string, string] } };
  };
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
}
interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}
interface Manifest {
  readonly kind: string;
  readonly stringData: Environment;
  readonly spec: {
    readonly replicas: number;
    readonly maxReplicas: number;
    readonly template: {
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly containers: readonly [Container];
      };
    };
  };
}

describe("the Kubernetes manifests", () => {
  const manifests = blocks("kubernetes.md", "yaml").flatMap(({ text }) =>
    parseAllDocuments(text).map((document) => {
      expect(document.errors).toEqual([]);
      return document.toJS() as Manifest;
    }),
  );
  const the = (kind: string) => {
    const found = manifests.find((manifest) => manifest.kind === kind);
    if (!found) throw new Error(`There is no ${kind}.`);
    return found;
  };
  const { terminationGracePeriodSeconds, containers } = the("Deployment").spec.template.spec;
  const [container] = containers;
  const config = accepted({
    ...the("Secret").stringData,
    ...Object.fromEntries(container.env.map(({ name, value }) => [name, value])),
  });

  it("configure a production gateway, with every variable a known one", () => {
    expect(config.production).toBe(true);
    const names = [...Object.keys(the("Secret").stringData), ...container.env.map(({ name }) => name)];
    expect(names.filter((name) => !gatewayVariables.has(name))).toEqual([]);
  });

  it("give a pod longer to end than it may take", () => {
    const preStopSeconds = Number(container.lifecycle.preStop.exec.command[1]);
    expect(preStopSeconds).toBeGreaterThan(0);
    expect(terminationGracePeriodSeconds).toBeGreaterThan(preStopSeconds + config.http.drainTimeoutMs / 1000);
  });

  it("probe what the gateway serves, on its port", () => {
    expect(container.ports).toEqual([{ name: "http", containerPort: config.http.port }]);
    expect(container.startupProbe.httpGet).toEqual({ path: "/health/live", port: "http" });
    expect(container.livenessProbe.httpGet).toEqual({ path: "/health/live", port: "http" });
    expect(container.readinessProbe.httpGet).toEqual({ path: "/health/ready", port: "http" });
  });

  it("tell the gateways how many they are", () => {
    expect(config.acs.budget.replicas).toBe(the("Deployment").spec.replicas);
    expect(the("HorizontalPodAutoscaler").spec.maxReplicas).toBeGreaterThan(the("Deployment").spec.replicas);
  });
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
