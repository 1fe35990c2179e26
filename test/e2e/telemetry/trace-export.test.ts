/** The sending of spans: receivers that are away, slow or gone, several gateways in one process, the end of a gateway. */
import { expect, it } from "@jest/globals";
import { IssueTokenDocument } from "../../../operations/generated/operations";
import { startTracing } from "../../../src/services/telemetry/tracing";
import { freePort } from "../../support/free-port";
import { until } from "../../support/until";
import { startWorld, type RunningGateway } from "../../support/world";
import { startReceiver } from "../../support/otlp-receiver";
import { newTrace, sendTraced, tracedTo } from "../../support/traced-world";

/** A sampled request that needs nobody. */
const ask = ({ client }: Pick<RunningGateway, "client">, trace = newTrace()) =>
  sendTraced(client, "{ viewer { name } }", {}, trace);

it("is loaded by gateways that trace, and by no others", async () => {
  await using world = await startWorld();
  expect((await ask(world)).status).toBe(200);
  // Its API is small, and prom-client's as well.
  const loaded = Object.keys(require.cache).filter((path) => /@opentelemetry\/(?!api\/)/.test(path));
  expect(loaded).toEqual([]);
});

it("keeps the traces of two gateways in one process apart, Azure's part included", async () => {
  await using a = await startReceiver();
  await using b = await startReceiver();
  await using world = await startWorld();
  const { emulator } = world;
  const gateways = [await world.addGateway(tracedTo(a)), await world.addGateway(tracedTo(b))];
  const traces = [newTrace(), newTrace()];
  const identityId = `8:acs:${emulator.resourceId}_${"0".repeat(8)}-1111-1111-1111-111111111111`;
  await Promise.all(
    gateways.map(({ client }, index) =>
      sendTraced(client, IssueTokenDocument, { identityId, scopes: ["CHAT"] }, traces[index]),
    ),
  );
  const receivers = [a, b];
  for (const [index, receiver] of receivers.entries()) {
    const { traceId, spanId } = traces[index]!;
    await until(() => receiver.trace(traceId).some(({ parentSpanId }) => parentSpanId === spanId), 20_000);
    expect(receiver.spans.map((span) => span.name)).toContain("POST");
    expect(new Set(receiver.spans.map((span) => span.traceId))).toEqual(new Set([traceId]));
  }
});

it("serves on when the receiver is away, tells it once, and sends again when it is back", async () => {
  const port = await freePort();
  await using world = await startWorld();
  const gateway = await world.addGateway(tracedTo({ url: `http://127.0.0.1:${port}` }));
  const lines = (text: string) => world.events.lines.filter((line) => line.includes(text));
  for (let round = 0; round < 3; round++) {
    expect((await ask(gateway)).status).toBe(200);
    if (round === 0) await until(() => lines("spans are lost").length === 1, 20_000);
  }
  expect(lines("spans are lost")[0]).toContain('"reason":"ECONNREFUSED"');
  await using receiver = await startReceiver(port);
  await until(async () => {
    await ask(gateway);
    return receiver.spans.length > 0;
  }, 30_000);
  await until(() => lines("takes spans again").length === 1);
  expect(lines("spans are lost")).toHaveLength(1);
}, 60_000);

it("serves on when the receiver does not answer, and closes in time all the same", async () => {
  await using receiver = await startReceiver();
  receiver.manner = "hang";
  await using world = await startWorld();
  const gateway = await world.addGateway(tracedTo(receiver));
  for (let count = 0; count < 20; count++) expect((await ask(gateway)).status).toBe(200);
  await until(() => receiver.batches === 1);
  expect((await ask(gateway)).status).toBe(200);
  const startedAt = performance.now();
  await gateway[Symbol.asyncDispose]();
  expect(performance.now() - startedAt).toBeLessThan(4_500);
}, 60_000);

it("holds a bounded number of spans, and tells once that it drops others", async () => {
  await using receiver = await startReceiver();
  const told: string[] = [];
  const events = { spansLost: (reason: string) => void told.push(reason), spansSentAgain: () => undefined };
  const tracing = await startTracing(
    {
      endpoint: `${receiver.url}/v1/traces`,
      protocol: "http/json",
      headers: {},
      sampler: "always_on",
      ratio: 1,
      delayMs: 2_000,
      resource: {},
    },
    events,
  );
  // All in one turn of the event loop, so that none can be sent meanwhile.
  for (let count = 0; count < 4_000; count++)
    tracing.server({ method: "POST", httpVersion: "1.1", headers: {} }, "/graphql")?.end();
  expect(told).toEqual(["QUEUE_FULL"]);
  await tracing[Symbol.asyncDispose]();
  // The queue, and the batch that left it at once.
  expect(receiver.spans).toHaveLength(2_048 + 512);
  expect(told).toEqual(["QUEUE_FULL"]);
});

it("sends what is left when the gateway ends", async () => {
  await using receiver = await startReceiver();
  await using world = await startWorld();
  const gateway = await world.addGateway(tracedTo(receiver));
  const { trace } = await ask(gateway);
  await gateway[Symbol.asyncDispose]();
  expect(receiver.trace(trace.traceId)).toHaveLength(2);
});

it("sends protobuf unless told otherwise, with the headers that the receiver asks for", async () => {
  await using receiver = await startReceiver();
  await using world = await startWorld();
  const gateway = await world.addGateway({
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/somewhere/else`,
    OTEL_EXPORTER_OTLP_HEADERS: "x-receiver-key=a%20secret,x-other=1",
    OTEL_SERVICE_NAME: "tokens",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
  });
  const { trace } = await ask(gateway);
  await gateway[Symbol.asyncDispose]();
  expect([...receiver.types]).toEqual(["application/x-protobuf"]);
  expect(receiver.text).toContain('"x-receiver-key":"a secret"');
  for (const text of [Buffer.from(trace.traceId, "hex").toString("latin1"), "tokens", "query viewer"])
    expect(receiver.text.includes(text)).toBe(true);
});

it("writes a sampled request's trace into the audit", async () => {
  await using receiver = await startReceiver();
  const records: { readonly traceId?: string | undefined }[] = [];
  const audit = {
    record: (record: object) => void records.push(record),
    flush: () => undefined,
    failure: () => undefined,
  };
  await using world = await startWorld({ environment: tracedTo(receiver), parts: { audit } });
  const { trace } = await sendTraced(world.client, "mutation { createIdentity { identity { id } } }");
  await sendTraced(world.client, "mutation { createIdentity { identity { id } } }", {}, newTrace("00"));
  expect(records.map(({ traceId }) => traceId)).toEqual([trace.traceId, undefined]);
});

it.each([
  ["always_on", "00", true],
  ["always_off", "01", false],
  ["parentbased_always_off", "01", true],
  ["parentbased_always_on", "00", false],
  ["traceidratio", "01", false],
])("samples as OpenTelemetry's %s does: of a parent with flags %s, %s", async (sampler, flags, isSampled) => {
  await using receiver = await startReceiver();
  await using world = await startWorld();
  const gateway = await world.addGateway({
    ...tracedTo(receiver),
    OTEL_TRACES_SAMPLER: sampler,
    OTEL_TRACES_SAMPLER_ARG: "0",
  });
  const trace = newTrace(flags);
  await ask(gateway, trace);
  await gateway[Symbol.asyncDispose]();
  expect(receiver.spans.some(({ traceId }) => traceId === trace.traceId)).toBe(isSampled);
});

it("keeps the share of traces that it is told to", async () => {
  await using receiver = await startReceiver();
  await using world = await startWorld();
  const gateway = await world.addGateway({ ...tracedTo(receiver), OTEL_TRACES_SAMPLER_ARG: "0.3" });
  for (let count = 0; count < 400; count++) await gateway.client.send("{ viewer { name } }");
  await gateway[Symbol.asyncDispose]();
  const kept = receiver.spans.filter(({ kind }) => kind === 2).length;
  // Seven standard deviations.
  expect(kept).toBeGreaterThan(55);
  expect(kept).toBeLessThan(185);
}, 60_000);
