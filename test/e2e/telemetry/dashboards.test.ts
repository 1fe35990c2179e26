/** The dashboard, the alerts and the runbook ask for nothing but what a running gateway exports, and know of each other. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "@jest/globals";
import { parse } from "yaml";
import { startEmulator } from "../../../emulator/emulator";
import {
  CreateIdentityAndTokenDocument,
  CreateIdentityDocument,
  DeleteIdentityDocument,
  ExchangeTeamsTokenDocument,
  IdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
  ViewerDocument,
} from "../../../operations/generated/operations";
import { errorCodes } from "../../../src/errors";
import { refusals } from "../../../src/server/http-refusal";
import { metricDefinitions, metricPrefix } from "../../../src/services/telemetry/metrics/definitions";
import { upstreamOutcomes } from "../../../src/services/telemetry/metrics/metrics";
import { openStream } from "../../support/event-stream";
import { startGatewayProcess } from "../../support/gateway-process";
import { GraphqlClient } from "../../support/graphql-client";
import { scrape, type Scrape } from "../../support/metrics";
import { freePort } from "../../support/free-port";
import { startRedis } from "../../support/redis-server";
import { until } from "../../support/until";
import { readPromql } from "./promql";

const root = join(__dirname, "..", "..", "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const rulesFile = "deploy/prometheus/alerts.yaml";

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: { readonly severity?: string };
  readonly annotations?: { readonly summary?: string; readonly runbook_url?: string };
}
interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly {
    readonly expr: string;
    readonly legendFormat: string;
    readonly refId: string;
  }[];
}
interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query?: unknown }[] };
}

const { groups } = parse(read(rulesFile)) as {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.filter(({ alert }) => alert !== undefined);
const dashboard = JSON.parse(read("deploy/grafana/dashboard.json")) as Dashboard;
const panels = dashboard.panels.filter(({ type }) => type !== "row");
const operations = read("docs/operations.md");

const expressions: [where: string, expression: string][] = [
  ...rules.map(({ alert, record, expr }): [string, string] => [alert ?? record ?? "", expr]),
  ...panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }, index): [string, string] => [`${title}, query ${index + 1}`, expr]),
  ),
];

/** What a real gateway process exports after some of everything. */
let exported: Scrape;
const teams = {
  clientId: "11111111-2222-4333-8444-555555555555",
  userObjectId: "99999999-8888-4777-8666-555555555555",
};
beforeAll(async () => {
  await using emulator = await startEmulator({ limits: false });
  await using redis = await startRedis();
  const port = await freePort();
  await using gateway = await startGatewayProcess({
    ACS_CONNECTION_STRING: emulator.connectionString,
    REDIS_URL: redis.url,
    METRICS_PORT: String(port),
  });
  const { client } = gateway;
  const identityId = (await client.data(CreateIdentityDocument)).createIdentity.identity.id;
  await client.data(CreateIdentityAndTokenDocument, { scopes: ["CHAT"] });
  for (let count = 0; count < 3; count++)
    await client.data(IssueTokenDocument, { identityId, scopes: ["CHAT"] });
  await client.data(IdentityDocument, { identityId });
  await client.data(ViewerDocument);
  const teamsUserAadToken = await emulator.entra.teamsToken(teams);
  await client.data(ExchangeTeamsTokenDocument, { teamsUserAadToken, ...teams });
  await using stream = await openStream(
    client.url,
    client.headers,
    `subscription { tokenRevoked(identityId: "${identityId}") { identity { id } } }`,
  );
  await client.data(RevokeTokensDocument, { identityId });
  expect((await stream.next())?.data).toBeTruthy();
  await client.data(DeleteIdentityDocument, { identityId });
  await client.send("{");
  await new GraphqlClient(client.url, { "x-api-key": "nobody's" }).send("{ viewer { name } }");
  // Its garbage collector has a metric when it has run.
  await until(async () => {
    await client.data(ViewerDocument);
    exported = await scrape(`http://127.0.0.1:${port}`);
    return exported.samples.some(({ name }) => name === "nodejs_gc_duration_seconds_count");
  });
  console.log(`${exported.types.size} metrics, ${exported.samples.length} series`);
}, 60_000);

/** Of the process, beside those that are defined here. */
const ofProcess = /^(process|nodejs)_/;
/** A name without what a histogram puts behind it. */
const family = (name: string) => {
  const whole = name.replace(/_(bucket|sum|count)$/, "");
  return exported.types.get(whole) === "histogram" ? whole : name;
};
/** What Prometheus adds to each series. */
const added = ["job", "instance"];

/** The labels that series of this name have; undefined when nobody exports any. */
function labelsOf(name: string): readonly string[] | undefined {
  if (name === "up") return added;
  const record = rules.find((rule) => rule.record === name);
  if (record) return readPromql(record.expr).grouped;
  const sample = exported.samples.find((each) => each.name === name);
  return sample && [...Object.keys(sample.labels), ...added];
}

/** All values that labels have here, or could. */
const values = () => {
  const known = new Set<string>(["acs-token-gateway", "other", ...upstreamOutcomes]);
  for (const code of [...Object.keys(errorCodes), ...Object.keys(refusals)]) known.add(code);
  for (const { labels } of exported.samples) for (const value of Object.values(labels)) known.add(value);
  return known;
};

describe("every expression", () => {
  it.each(expressions)(
    "of %s is PromQL about series that there are, with labels that they have",
    (_where, text) => {
      const { selectors, grouped } = readPromql(text);
      expect(selectors).not.toEqual([]);
      const all = new Set<string>();
      for (const { name, labels, asCounter, values: compared } of selectors) {
        const there = labelsOf(name);
        if (!there) throw new Error(`Nobody exports ${name}.`);
        for (const label of there) all.add(label);
        expect([name, labels.filter((label) => !there.includes(label))]).toEqual([name, []]);
        expect(compared.filter(([, value]) => !values().has(value))).toEqual([]);
        const type = exported.types.get(family(name));
        if (type !== undefined) {
          const isCounter = type !== "gauge";
          expect([name, asCounter]).toEqual([name, isCounter]);
        }
      }
      expect(grouped.filter((label) => !all.has(label))).toEqual([]);
    },
  );

  it("together uses every metric of the gateway", () => {
    const used = new Set(
      expressions.flatMap(([, text]) => readPromql(text).selectors.map(({ name }) => family(name))),
    );
    const unused = Object.keys(metricDefinitions).filter((name) => !used.has(metricPrefix + name));
    expect(unused).toEqual([]);
  });
});

describe("the parser of these tests", () => {
  it.each(["sum by(job (up)", "rate(up[5m)", "up{job=}", "up up"])("refuses %s", (text) => {
    expect(() => readPromql(text)).toThrow("not PromQL");
  });
});

describe("what is exported", () => {
  it("is what the documentation has in its table, with the same types and labels", () => {
    const [, text = ""] = /<!-- metrics -->([^]*?)<!-- end of metrics -->/.exec(operations) ?? [];
    const rows = [...text.matchAll(/^\| `(\w+)` *\| (\w+) *\| ([^|]*?) *\| (.+?) *\|$/gm)];
    const told = rows.map(([, name, type, labels = ""]) => [
      `${metricPrefix}${name ?? ""}`,
      type,
      [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label).sort(),
    ]);
    const own = [...exported.types].filter(([name]) => !ofProcess.test(name));
    const there = own.map(([name, type]) => {
      const sample = exported.samples.find(
        (each) => family(each.name) === name && !each.name.endsWith("_bucket"),
      );
      return [name, type, Object.keys(sample?.labels ?? {}).sort()];
    });
    // One that has no series in this run cannot show its labels.
    expect(there.filter(([name]) => !exported.samples.some((each) => family(each.name) === name))).toEqual(
      [],
    );
    const byName = ([one]: unknown[], [other]: unknown[]) => String(one).localeCompare(String(other));
    expect(there.sort(byName)).toEqual(told.sort(byName));
  });

  it("is told of for each operation that was sent", () => {
    const named = new Set(
      exported.samples
        .filter(({ name }) => name === "acs_token_gateway_operation_duration_seconds_count")
        .map(({ labels }) => labels.operation),
    );
    expect([...named].sort()).toEqual(
      [
        "createIdentity",
        "issueToken",
        "identity",
        "viewer",
        "exchangeTeamsToken",
        "tokenRevoked",
        "revokeTokens",
        "deleteIdentity",
        "invalid",
      ].sort(),
    );
  });

  it("passes Prometheus's own check of the format, where promtool is there", () => {
    const checked = promtool(["check", "metrics"], exported.text);
    if (checked === undefined) console.log("promtool is not there: not checked with it");
    // It has opinions on names of prom-client, too, which are no errors of the format.
    else expect(checked).not.toMatch(/error while linting|parsing error/);
  });
});

describe("the alerts", () => {
  it("each have a severity, a summary and an entry in the runbook, which has no others", () => {
    const entries = [...operations.matchAll(/^### (AcsTokenGateway\w+)$/gm)].map(([, name]) => name);
    expect(entries).toEqual(alerts.map(({ alert }) => alert));
    for (const { alert = "", labels, annotations } of alerts) {
      expect([alert, ["warning", "critical"].includes(labels?.severity ?? "")]).toEqual([alert, true]);
      expect(annotations?.summary ?? "").not.toBe("");
      expect(annotations?.runbook_url).toBe(`docs/operations.md#${alert.toLowerCase()}`);
      const [, entry = ""] =
        new RegExp(`^### ${alert}$([^]*?)(?=^### |$(?![^]))`, "m").exec(operations) ?? [];
      for (const part of ["Means", "Users see", "Look", "Do"]) expect(entry).toContain(`**${part}**`);
    }
  });

  it("fire when they should, and not before, where promtool is there", () => {
    const tested = promtool(["test", "rules", join(root, "test/e2e/telemetry/alerts.promtool.yaml")]);
    if (tested === undefined) console.log("promtool is not there: not checked with it");
    else expect(tested).toContain("SUCCESS");
  }, 60_000);
});

describe("the dashboard", () => {
  it("lets its data source, job and instances be chosen, and asks for nothing without them", () => {
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual(["datasource", "job", "instance"]);
    for (const { targets = [] } of panels) {
      expect(targets.map(({ refId }) => refId)).toEqual(["A", "B", "C", "D"].slice(0, targets.length));
      for (const { expr } of targets) {
        for (const { labels } of readPromql(expr).selectors) {
          expect([expr, labels.slice(0, 2)]).toEqual([expr, ["job", "instance"]]);
        }
      }
    }
  });

  it("has legends of labels that the queries keep", () => {
    for (const { targets = [] } of panels) {
      for (const { expr, legendFormat } of targets) {
        const { grouped, selectors } = readPromql(expr);
        const kept = /^(sum|min|max|count|histogram_quantile)\b/.test(expr)
          ? grouped
          : labelsOf(selectors[0]!.name);
        for (const [, label = ""] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
          expect([expr, kept?.includes(label)]).toEqual([expr, true]);
        }
      }
    }
  });
});

/** Undefined when there is no promtool on this machine. */
function promtool(args: readonly string[], input = ""): string | undefined {
  try {
    return execFileSync(process.env.PROMTOOL_PATH ?? "promtool", args, {
      input,
      encoding: "utf8",
      stdio: "pipe",
    });
  } catch (error) {
    const { code, stdout = "", stderr = "" } = error as { code?: string; stdout?: string; stderr?: string };
    return code === "ENOENT" ? undefined : `${stdout}\n${stderr}`;
  }
}
