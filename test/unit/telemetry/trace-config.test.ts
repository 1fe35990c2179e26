/** OpenTelemetry's variables: what they come to, and what is said of wrong ones. */
import { expect, it } from "@jest/globals";
import { loadConfig, type Environment } from "../../../src/config";
import { describeConfig } from "../../../src/config/describe";

const key = Buffer.alloc(32, 7).toString("base64");
const load = (environment: Environment) =>
  loadConfig({
    ACS_CONNECTION_STRING: `endpoint=https://one.communication.azure.com/;accesskey=${key}`,
    ...environment,
  });
const collector = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };

it("traces nothing unless a receiver is named, or when told not to", () => {
  expect(load({}).tracing).toBeUndefined();
  expect(load({ ...collector, OTEL_SDK_DISABLED: "true" }).tracing).toBeUndefined();
  expect(load({ ...collector, OTEL_TRACES_EXPORTER: "none" }).tracing).toBeUndefined();
});

it("has the defaults that the documentation tells", () => {
  expect(load(collector).tracing).toEqual({
    endpoint: "http://collector:4318/v1/traces",
    protocol: "http/protobuf",
    headers: {},
    sampler: "parentbased_traceidratio",
    ratio: 0.05,
    delayMs: 2_000,
    resource: {
      "service.name": "acs-token-gateway",
      "service.version": expect.stringMatching(/^\d+\.\d+\.\d+/),
      "service.instance.id": expect.stringMatching(/^[\da-f-]{36}$/),
    },
  });
});

it("lets what is for traces alone win", () => {
  expect(
    load({
      OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector/base/",
      OTEL_EXPORTER_OTLP_HEADERS: "a=1,b=2",
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: "b=3",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/json",
      OTEL_SERVICE_NAME: "mine",
      OTEL_RESOURCE_ATTRIBUTES: "service.name=other,cloud.region=west%20europe",
    }).tracing,
  ).toMatchObject({
    endpoint: "https://collector/base/v1/traces",
    protocol: "http/json",
    headers: { a: "1", b: "3" },
    resource: { "service.name": "mine", "cloud.region": "west europe" },
  });
});

it.each([
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" }, "must look like http://collector:4318."],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "nowhere" }, "must look like http://collector:4318/v1/traces."],
  [
    { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
    "must be one of http/protobuf, http/json; the gateway does not speak gRPC.",
  ],
  [
    { OTEL_EXPORTER_OTLP_HEADERS: "s3cret" },
    "must look like name=value,name=value with the values percent-encoded.",
  ],
  [
    { OTEL_EXPORTER_OTLP_HEADERS: "key=%E0%s3cret" },
    "must look like name=value,name=value with the values percent-encoded.",
  ],
  [
    { OTEL_EXPORTER_OTLP_HEADERS: "key=a%0As3cret" },
    "must look like name=value,name=value with the values percent-encoded.",
  ],
  [
    { OTEL_TRACES_SAMPLER: "sometimes" },
    "must be one of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio.",
  ],
  [{ OTEL_TRACES_SAMPLER_ARG: "1.5" }, "must be a number from 0 to 1."],
  [{ OTEL_TRACES_SAMPLER_ARG: "5%" }, "must be a number from 0 to 1."],
  [{ OTEL_TRACES_EXPORTER: "zipkin" }, "must be otlp or none."],
  [{ OTEL_SDK_DISABLED: "yes" }, "must be true or false."],
  [
    { OTEL_RESOURCE_ATTRIBUTES: "region" },
    "must look like deployment.environment.name=production,cloud.region=westeurope with the values percent-encoded.",
  ],
])("says in one sentence what is wrong with %j, and nothing of a secret", (environment, sentence) => {
  const [name] = Object.keys(environment);
  const problem = (() => {
    try {
      load(environment);
      return "nothing";
    } catch (error) {
      return (error as Error).message;
    }
  })();
  expect(problem).toBe(`The configuration has a problem:\n  - ${name} ${sentence}`);
  expect(problem).not.toContain("s3cret");
});

it("shows the operator everything but secrets", () => {
  const shown = JSON.stringify(
    describeConfig(
      load({
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://user:s3cret@receiver/v1/traces?key=s3cret",
        OTEL_EXPORTER_OTLP_HEADERS: "authorization=s3cret",
      }),
    ),
  );
  expect(shown).not.toContain("s3cret");
  expect(shown).toContain("https://receiver/v1/traces");
  expect(shown).toContain('"authorization":"set"');
});
