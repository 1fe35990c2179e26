/** The Helm chart and the manifests made of it: Helm renders them, Kubernetes would take them, and the gateway too. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "@jest/globals";
import { parse, parseAllDocuments } from "yaml";
import { loadConfig, type Config, type Environment } from "../../../src/config";
import { healthPaths, unknownVariables } from "./support/gateway-settings";
import { chart, findHelm, helm } from "./support/helm";
import { kubernetesChecker, type KubernetesObject } from "./support/kubernetes";
import { root } from "./support/tools";

const rendered = join(root, "deploy", "kubernetes", "acs-token-gateway.yaml");

const kubernetesProblems = kubernetesChecker();

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string; readonly scheme: string };
  readonly periodSeconds: number;
  readonly failureThreshold: number;
}
interface Container {
  readonly image: string;
  readonly env: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly secretKeyRef: { readonly name: string; readonly key: string } };
  }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly securityContext: object;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}
interface Manifest extends KubernetesObject {
  readonly spec: {
    readonly replicas?: number;
    readonly minReplicas: number;
    readonly maxReplicas: number;
    readonly maxUnavailable: number;
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly strategy: object;
    readonly ports: readonly { readonly targetPort: string }[];
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly automountServiceAccountToken: boolean;
        readonly securityContext: object;
        readonly containers: readonly [Container];
        readonly volumes: readonly {
          readonly name: string;
          readonly secret?: {
            readonly secretName: string;
            readonly items?: readonly { readonly path: string }[];
          };
        }[];
      };
    };
  };
}

const objectsOf = (text: string): Manifest[] =>
  parseAllDocuments(text)
    .map((document) => {
      expect(document.errors).toEqual([]);
      return document.toJS() as Manifest | null;
    })
    .filter((object) => object !== null);

const the = (objects: readonly Manifest[], kind: string): Manifest => {
  const found = objects.find((object) => object.kind === kind);
  if (!found) throw new Error(`There is no ${kind}.`);
  return found;
};

/** A Secret as docs/recipes/kubernetes.md has it. */
const secret: Readonly<Record<string, string>> = {
  ACS_CONNECTION_STRING: "endpoint=https://contoso.communication.azure.com/;accesskey=c2VjcmV0",
  REDIS_URL: "rediss://gateway:password@redis.example.com:6380",
  DATABASE_URL: "postgres://gateway:password@postgres.example.com:5432/gateway?sslmode=verify-full",
  TOKEN_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 1).toString("base64")}`,
  API_KEYS: `backend:${"a".repeat(64)} rights=token:issue:any+token:revoke:any`,
};

/** What the container's gateway makes of its environment, with the Secret mounted where the manifest says. */
async function configOf(deployment: Manifest): Promise<Config> {
  const { containers, volumes } = deployment.spec.template.spec;
  const [{ env, volumeMounts }] = containers;
  const folder = await mkdtemp(join(tmpdir(), "acs-token-gateway-chart-"));
  try {
    const mounted = volumes.find(({ name }) => name === "secrets")?.secret?.items ?? [];
    for (const { path } of mounted) await writeFile(join(folder, path), secret[path] ?? "");
    const at = volumeMounts.find(({ name }) => name === "secrets")?.mountPath ?? "nowhere";
    const environment = env.map(({ name, value, valueFrom }) => [
      name,
      valueFrom ? secret[valueFrom.secretKeyRef.key] : value?.replace(at, folder),
    ]);
    return loadConfig(Object.fromEntries(environment) as Environment);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe("the manifests for those who have no Helm", () => {
  const objects = objectsOf(readFileSync(rendered, "utf8"));
  const deployment = the(objects, "Deployment");
  const pod = deployment.spec.template.spec;
  const [container] = pod.containers;
  let config: Config;
  beforeAll(async () => {
    config = await configOf(deployment);
  });

  it("are what Kubernetes takes", async () => {
    expect(objects.map(({ kind }) => kind).sort()).toEqual([
      "Deployment",
      "HorizontalPodAutoscaler",
      "NetworkPolicy",
      "PodDisruptionBudget",
      "Service",
      "ServiceAccount",
    ]);
    expect(await kubernetesProblems(objects)).toEqual([]);
  }, 60_000);

  it.each([
    ["a field that there is not", "readinessProbe:", "readynessProbe:", /readynessProbe.* does not exist/],
    ["a number that must be one", "containerPort: 4000", "containerPort: http", /containerPort/],
    ["a strategy that there is not", "type: RollingUpdate", "type: Rolling", /Rolling/],
    [
      "nothing where something must be",
      "  selector:\n    matchLabels:",
      "  selectors:\n    matchLabels:",
      /selector/,
    ],
  ])(
    "would not be taken with %s",
    async (_what, right, wrong, problem) => {
      const text = readFileSync(rendered, "utf8");
      expect(text).toContain(right);
      const problems = await kubernetesProblems(objectsOf(text.replace(right, wrong)));
      expect(problems.join("\n")).toMatch(problem);
    },
    60_000,
  );

  it("configure a production gateway, with variables that there are", () => {
    expect(unknownVariables(container.env.map(({ name }) => name))).toEqual([]);
    expect(config.production).toBe(true);
    expect(config.http.port).toBe(container.ports.find(({ name }) => name === "http")?.containerPort);
    expect(config.acs.budget.replicas).toBe(the(objects, "HorizontalPodAutoscaler").spec.maxReplicas);
    const named = container.env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef.name ?? []);
    expect(new Set(named)).toEqual(new Set(["acs-token-gateway"]));
  });

  it("probe what the gateway serves", () => {
    const paths = { startupProbe: "startup", livenessProbe: "live", readinessProbe: "ready" } as const;
    for (const [probe, path] of Object.entries(paths) as [keyof typeof paths, string][]) {
      expect(container[probe].httpGet).toEqual({ path: `/health/${path}`, port: "http", scheme: "HTTP" });
      expect(healthPaths()).toContain(container[probe].httpGet.path);
    }
    // Slow starts are the startup probe's: PostgreSQL and Redis may be a while away.
    expect(
      container.startupProbe.periodSeconds * container.startupProbe.failureThreshold,
    ).toBeGreaterThanOrEqual(60);
  });

  it("give a pod longer to end than it may take, and never have one less than there should be", () => {
    const { drainDelayMs, drainTimeoutMs } = config.http;
    expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(drainDelayMs + drainTimeoutMs + 10_000);
    // Two rounds of the probe, so that whoever goes by it knows before the gateway stops to listen.
    expect(drainDelayMs).toBeGreaterThanOrEqual(2 * container.readinessProbe.periodSeconds * 1_000);
    expect(deployment.spec.strategy).toEqual({
      type: "RollingUpdate",
      rollingUpdate: { maxUnavailable: 0, maxSurge: 1 },
    });
    expect(the(objects, "PodDisruptionBudget").spec.maxUnavailable).toBeLessThan(
      the(objects, "HorizontalPodAutoscaler").spec.minReplicas,
    );
  });

  it("meet the restricted standard for pods", () => {
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 65532,
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(pod.automountServiceAccountToken).toBe(false);
    // The user that the image is made for.
    expect(readFileSync(join(root, "deploy", "Dockerfile"), "utf8")).toContain("USER 65532:65532");
  });

  it("select the very pods that there will be", () => {
    const { labels } = deployment.spec.template.metadata;
    for (const kind of ["Deployment", "PodDisruptionBudget"]) {
      expect(labels).toMatchObject(the(objects, kind).spec.selector.matchLabels);
    }
    expect(labels).toMatchObject(the(objects, "Service").spec.selector);
    expect(the(objects, "Service").spec.ports[0]?.targetPort).toBe("http");
  });
});

const withHelm = findHelm() === undefined ? describe.skip : describe;

withHelm("the chart (skipped where there is no Helm: set HELM_PATH)", () => {
  const template = async (...settings: string[]) =>
    objectsOf(
      await helm("template", "acs-token-gateway", chart, ...settings.flatMap((each) => ["--set", each])),
    );

  it("pleases Helm's linter", async () => {
    expect(await helm("lint", "--strict", chart)).toContain("0 chart(s) failed");
  });

  it("is what deploy/kubernetes has rendered", async () => {
    expect(await helm("template", "acs-token-gateway", chart)).toBe(readFileSync(rendered, "utf8"));
  });

  it("has the version of the gateway", () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    expect(parse(readFileSync(join(chart, "Chart.yaml"), "utf8"))).toMatchObject({ appVersion: version });
  });

  it.each([
    ["metrics for Prometheus", "metrics.port=9464", "metrics.serviceMonitor.enabled=true"],
    [
      "an ingress with TLS",
      "ingress.enabled=true",
      "ingress.host=tokens.example.com",
      "ingress.tlsSecret=tls",
    ],
    ["TLS in the cluster", "tls.existingSecret=gateway-tls"],
    ["a fixed number of gateways", "autoscaling.enabled=false", "replicaCount=2"],
    [
      "another name and an image by its digest",
      "fullnameOverride=tokens",
      `image.digest=sha256:${"a".repeat(64)}`,
    ],
    [
      "settings",
      "config.CORS_ORIGINS=https://app.example.com",
      "config.MAX_DEVICES=3",
      "config.EXPLORER=false",
    ],
    [
      "workload identity",
      "workloadIdentity.enabled=true",
      "workloadIdentity.clientId=6fd4a3f8-0000-4000-8000-000000000001",
      "secretVariables={REDIS_URL,DATABASE_URL}",
      "config.ACS_ENDPOINT=https://contoso.communication.azure.com",
    ],
    [
      "an embedded directory",
      "embeddedDirectory.existingClaim=directory",
      "autoscaling.enabled=false",
      "replicaCount=1",
      "secretVariables={ACS_CONNECTION_STRING,REDIS_URL}",
    ],
    [
      "rules of the network",
      "networkPolicy.from[0].namespaceSelector.matchLabels.team=web",
      "networkPolicy.egressPorts={443}",
    ],
  ])(
    "renders what Kubernetes and the gateway take with %s",
    async (_what, ...settings) => {
      const objects = await template(...settings);
      expect(await kubernetesProblems(objects)).toEqual([]);
      const deployment = the(objects, "Deployment");
      const { env } = deployment.spec.template.spec.containers[0];
      expect(unknownVariables(env.map(({ name }) => name))).toEqual([]);
      const names = env.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      expect((await configOf(deployment)).production).toBe(true);
    },
    60_000,
  );

  it.each([
    ["a value that there is not", ["replicas=3"], "additional properties 'replicas' not allowed"],
    ["a variable that is the chart's own", ["config.PORT=1"], "invalid propertyName 'PORT'"],
    ["a secret among the settings", ["config.API_KEYS=x"], "invalid propertyName 'API_KEYS'"],
    ["too little time to end", ["terminationGracePeriodSeconds=30"], "must exceed drainDelaySeconds"],
    ["fewer at most than at least", ["autoscaling.maxReplicas=2"], "must not be less than"],
    ["a ServiceMonitor without a port", ["metrics.serviceMonitor.enabled=true"], "needs metrics.port"],
    [
      "a key beside the workload identity",
      ["workloadIdentity.enabled=true", "workloadIdentity.clientId=x"],
      "leave",
    ],
    ["no client id", ["workloadIdentity.enabled=true", "secretVariables={REDIS_URL}"], "clientId"],
    ["several gateways on one volume", ["embeddedDirectory.existingClaim=x"], "for one gateway"],
  ])("refuses %s", async (_what, settings, problem) => {
    await expect(template(...settings)).rejects.toThrow(problem);
  });
});
