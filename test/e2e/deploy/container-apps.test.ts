/** The template for Azure Container Apps: its expressions add up, Azure's API would take it, and the gateway too. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { loadConfig } from "../../../src/config";
import { deployed, resourceProblems, type Json, type Template } from "./support/arm-template";
import { healthPaths, unknownVariables } from "./support/gateway-settings";
import { root } from "./support/tools";

const text = readFileSync(join(root, "deploy", "azure", "container-apps.json"), "utf8");
const template = JSON.parse(text) as Template;
const vault = "https://contoso.vault.azure.net/secrets";
const required = {
  image: "contoso.azurecr.io/acs-token-gateway:0.1.0",
  registry: "contoso.azurecr.io",
  identityId:
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/gateway",
  acsEndpoint: "https://contoso.communication.azure.com",
  redisUrlSecret: `${vault}/redis-url`,
  tokenEncryptionKeysSecret: `${vault}/token-encryption-keys`,
};
const services = { ...required, apiKeysSecret: `${vault}/api-keys` };
const users = {
  ...required,
  databaseUrlSecret: `${vault}/database-url`,
  oidcIssuers: "https://login.microsoftonline.com/tenant/v2.0 audience=client",
  corsOrigins: "https://app.example.com",
  environmentId: "/subscriptions/s/resourceGroups/g/providers/Microsoft.App/managedEnvironments/there",
};
/** What Key Vault holds. */
const secrets: Readonly<Record<string, string>> = {
  "redis-url": "rediss://gateway:password@redis.example.com:6380",
  "token-encryption-keys": `k1:${Buffer.alloc(32, 1).toString("base64")}`,
  "database-url": "postgres://gateway:password@postgres.example.com:5432/gateway?sslmode=verify-full",
  "api-keys": `backend:${"a".repeat(64)} rights=token:issue:any`,
};

interface ContainerApp {
  readonly type: string;
  readonly properties: {
    readonly environmentId: string;
    readonly configuration: {
      readonly ingress: { readonly targetPort: number; readonly allowInsecure: boolean };
      readonly secrets: readonly {
        readonly name: string;
        readonly keyVaultUrl: string;
        readonly identity: string;
      }[];
    };
    readonly template: {
      readonly terminationGracePeriodSeconds: number;
      readonly scale: { readonly minReplicas: number; readonly maxReplicas: number };
      readonly containers: readonly [
        {
          readonly env: readonly {
            readonly name: string;
            readonly value?: string;
            readonly secretRef?: string;
          }[];
          readonly probes: readonly {
            readonly type: string;
            readonly httpGet: { readonly path: string; readonly port: number };
            readonly failureThreshold: number;
          }[];
        },
      ];
    };
  };
}

const resourcesOf = (parameters: Readonly<Record<string, Json>>, of: Template = template) =>
  deployed(of, parameters);
const appOf = (parameters: Readonly<Record<string, Json>>): ContainerApp =>
  resourcesOf(parameters).find(
    ({ type }) => type === "Microsoft.App/containerApps",
  ) as unknown as ContainerApp;

describe.each([
  ["services with API keys", services],
  ["users, in an environment that there is", users],
])("for %s", (_what, parameters) => {
  const app = appOf(parameters);
  const { configuration, template: revision } = app.properties;
  const [container] = revision.containers;
  const config = loadConfig(
    Object.fromEntries(
      container.env.map(({ name, value, secretRef }) => [
        name,
        secretRef === undefined ? value : secrets[secretRef],
      ]),
    ),
  );

  it("is what Azure's description of the API allows", () => {
    expect(resourcesOf(parameters).flatMap(resourceProblems)).toEqual([]);
  });

  it("configures a production gateway, with variables that there are", () => {
    expect(unknownVariables(container.env.map(({ name }) => name))).toEqual([]);
    expect(config.production).toBe(true);
    expect(config.acs.budget.replicas).toBe(revision.scale.maxReplicas);
    expect(revision.scale.minReplicas).toBeGreaterThan(1);
  });

  it("has every secret in Key Vault, and every secret that is named", () => {
    expect(configuration.secrets.filter(({ keyVaultUrl }) => !keyVaultUrl.startsWith(vault))).toEqual([]);
    const named = container.env.flatMap(({ secretRef }) => secretRef ?? []);
    expect(named.sort()).toEqual(configuration.secrets.map(({ name }) => name).sort());
    expect(text).not.toMatch(/accesskey/i);
  });

  it("probes what the gateway serves, on its port, over TLS from outside", () => {
    expect(configuration.ingress).toMatchObject({ targetPort: config.http.port, allowInsecure: false });
    expect(container.probes.map(({ type }) => type).sort()).toEqual(["Liveness", "Readiness", "Startup"]);
    for (const { httpGet, failureThreshold } of container.probes) {
      expect(healthPaths()).toContain(httpGet.path);
      expect(httpGet.port).toBe(config.http.port);
      // Azure's own bound, which its description of the API does not have.
      expect(failureThreshold).toBeLessThanOrEqual(10);
    }
    const { drainDelayMs, drainTimeoutMs } = config.http;
    const graceMs = revision.terminationGracePeriodSeconds * 1_000;
    expect(graceMs).toBeGreaterThan(drainDelayMs + drainTimeoutMs + 10_000);
  });
});

it("makes an environment only where none is given", () => {
  const types = (parameters: Readonly<Record<string, Json>>) =>
    resourcesOf(parameters).map(({ type }) => type);
  expect(types(services)).toEqual(["Microsoft.App/managedEnvironments", "Microsoft.App/containerApps"]);
  expect(types(users)).toEqual(["Microsoft.App/containerApps"]);
  expect(appOf(users).properties.environmentId).toBe(users.environmentId);
});

it("uses every parameter and variable that it declares", () => {
  const declared = { parameters: template.parameters, variables: template.variables };
  for (const [kind, names] of Object.entries(declared)) {
    const unused = Object.keys(names).filter((name) => !text.includes(`${kind}('${name}')`));
    expect([kind, unused]).toEqual([kind, []]);
  }
});

it.each([
  [
    "a field that there is not",
    '"targetPort"',
    '"port"',
    "ContainerApp.properties.configuration.ingress has no port",
  ],
  ["a text for a number", '"targetPort": 4000', '"targetPort": "4000"', "must be a number"],
  ["a field at the wrong place", '"activeRevisionsMode"', '"revisionsMode"', "has no revisionsMode"],
  ["another version of the API", "2025-01-01", "2019-01-01", "apiVersion 2019-01-01"],
])("would be found wrong with %s", (_what, right, wrong, problem) => {
  expect(text).toContain(right);
  const broken = JSON.parse(text.replaceAll(right, wrong)) as Template;
  expect(resourcesOf(services, broken).flatMap(resourceProblems).join("\n")).toContain(problem);
});

it.each([
  ["parameters('image')", "parameters('picture')", "No parameter picture"],
  ["variables('secrets')", "variables('secret')", "No variable secret"],
  ["json(parameters('cpu'))", "jason(parameters('cpu'))", "no function jason"],
])("would be found wrong with %s spelt %s", (right, wrong, problem) => {
  const broken = JSON.parse(text.replaceAll(right, wrong)) as Template;
  expect(() => resourcesOf(services, broken)).toThrow(problem);
});
