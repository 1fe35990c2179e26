/** How the status page reads metrics, and the figures that it makes of two scrapes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { failures } from "../../../pages/status/figures";
import { metricsParser } from "../../../pages/status/metrics-text";
import { lastPeriod, Period, type Scrape } from "../../../pages/status/period";
import { metricDefinitions } from "../../../src/services/telemetry/metrics/definitions";
import { Metrics } from "../../../src/services/telemetry/metrics/metrics";
import { Scrape as TestScrape } from "../../support/metrics";

const parse = metricsParser();
const scrape = (at: number, text: string): Scrape => ({ at, samples: parse(text) });
const between = (earlier: string, later: string, seconds = 10) =>
  new Period(scrape(0, earlier), scrape(seconds * 1_000, later));

describe("the parser", () => {
  const flat = (text: string) =>
    [...parse(text)].map(([{ name, labels }, value]) => ({ name, labels, value }));

  it("reads every form of a sample, and passes over what is none", () => {
    const text = [
      "# HELP up Whether it is up",
      "# TYPE up gauge",
      "up 1",
      'a_total{x="1",y="a \\"b\\" {c}, d=\\\\ \\n"} 2.5e3',
      'a_total{x="2",} 7 1700000000000',
      'b_bucket{le="+Inf"} +Inf',
      "c NaN",
      "d Nan",
      "",
      "no value",
      "<html>",
    ];
    expect(flat(text.join("\n"))).toEqual([
      { name: "up", labels: {}, value: 1 },
      { name: "a_total", labels: { x: "1", y: 'a "b" {c}, d=\\ \n' }, value: 2500 },
      { name: "a_total", labels: { x: "2" }, value: 7 },
      { name: "b_bucket", labels: { le: "+Inf" }, value: Infinity },
    ]);
  });

  it("reads a gateway's metrics as another parser does", async () => {
    const metrics = new Metrics({ version: "1.2.3", node: "20" });
    metrics.operationEnded("issueToken", "ok", 0.003);
    metrics.upstreamCall("acs.example", "issueToken", "throttled", 0.2);
    const text = await metrics.text();
    const expected = new TestScrape(text).samples;
    expect(expected.length).toBeGreaterThan(50);
    expect(flat(text)).toEqual(expected.map(({ name, labels, value }) => ({ name, labels, value })));
  });
});

describe("a period", () => {
  it("has rates of what was counted in it, from zero where a counter began again", () => {
    const period = between(
      'acs_token_gateway_tokens_served_total{source="cache"} 100\nacs_token_gateway_tokens_served_total{source="issued"} 50\n',
      'acs_token_gateway_tokens_served_total{source="cache"} 160\nacs_token_gateway_tokens_served_total{source="issued"} 20\n',
    );
    expect(period.rate("tokens_served_total")).toBe(8);
    expect(period.rate("tokens_served_total", ({ source }) => source === "cache")).toBe(6);
    expect(period.increase("tokens_served_total", ({ source }) => source === "issued")).toBe(20);
    expect(period.share("tokens_served_total", ({ source }) => source === "cache")).toBe(0.75);
    expect(period.byIncrease("tokens_served_total", "source")).toEqual([
      { value: "cache", increase: 60 },
      { value: "issued", increase: 20 },
    ]);
    expect([period.now("tokens_served_total"), period.now("redis_up")]).toEqual([180, null]);
    expect([period.has("tokens_served_total"), period.has("redis_up")]).toEqual([true, false]);
  });

  it("counts a series that is new from zero", () => {
    expect(between("", "acs_token_gateway_x_total 3").increase("x_total")).toBe(3);
  });

  const histogram = (...counts: readonly number[]) =>
    ["0.1", "0.2", "0.4", "+Inf"]
      .map((le, index) => `acs_token_gateway_d_bucket{le="${le}"} ${counts[index] ?? 0}`)
      .join("\n");

  it("has quantiles within buckets, as Prometheus estimates them", () => {
    const period = between(histogram(5, 5, 5, 5), histogram(15, 55, 95, 105));
    expect(period.quantile("d", 0.05)).toBeCloseTo(0.05);
    expect(period.quantile("d", 0.5)).toBeCloseTo(0.2);
    expect(period.quantile("d", 0.7)).toBeCloseTo(0.3);
    // Above all bounds nothing is known but the last bound.
    expect(period.quantile("d", 0.99)).toBe(0.4);
  });

  it("has no quantile and no share of fewer than 20", () => {
    expect(between(histogram(), histogram(19, 19, 19, 19)).quantile("d", 0.5)).toBeNull();
    expect(between(histogram(), histogram(20, 20, 20, 20)).quantile("d", 0.5)).toBeCloseTo(0.05);
    const all = () => true;
    expect(between("", "acs_token_gateway_x_total 19").share("x_total", all)).toBeNull();
    expect(between("", "acs_token_gateway_x_total 20").share("x_total", all)).toBe(1);
  });

  it("is the last so many seconds of the scrapes, or what there is of them", () => {
    const scrapes = [0, 3, 6, 9, 12.1].map((seconds) => scrape(seconds * 1_000, "a 1"));
    expect(lastPeriod(scrapes, 6)?.seconds).toBeCloseTo(6.1);
    expect(lastPeriod(scrapes, 60)?.seconds).toBeCloseTo(12.1);
    // After a pause longer than that, the time since the scrape before it.
    expect(lastPeriod([scrape(0, "a 1"), scrape(600_000, "a 1")], 60)?.seconds).toBe(600);
    expect(lastPeriod(scrapes.slice(0, 1), 60)).toBeUndefined();
  });
});

it("takes the same outcomes for failures as the alert on the error rate", () => {
  const alerts = readFileSync(join(__dirname, "../../../deploy/prometheus/alerts.yaml"), "utf8");
  const [, outcomes = ""] = /operations_failed:rate5m\n\s+expr: >-\n.*outcome=~"([^"]+)"/.exec(alerts) ?? [];
  expect([...failures].sort()).toEqual(outcomes.split("|").sort());
});

it("names no metric that a gateway does not export", () => {
  const folder = join(__dirname, "../../../pages/status");
  const source = ["figures", "tiles", "charts", "tables", "main"]
    .map((name) => readFileSync(join(folder, `${name}.ts`), "utf8"))
    .join("");
  const named = [...source.matchAll(/"([a-z]+(?:_[a-z0-9]+)+)"/g)].map(([, name = ""]) => name);
  const own = named.filter((name) => !/^(process|nodejs)_/.test(name));
  expect(own.length).toBeGreaterThan(20);
  expect(own.filter((name) => !(name in metricDefinitions))).toEqual([]);
});
