/** Traces: what a real receiver gets of requests to real gateways with Redis and an emulator of Azure. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import {
  CreateIdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import { until } from "../../support/until";
import { developmentKey, encryptionKeys } from "../../support/world";
import { outline, type ReceivedSpan } from "../../support/otlp-receiver";
import {
  newTrace,
  sendTraced,
  startTracedWorld,
  type CallersTrace,
  type TracedWorld,
} from "../../support/traced-world";

let traced: TracedWorld;
let identityId: string;
const tokens: string[] = [];

beforeAll(async () => {
  traced = await startTracedWorld({ traced: 2 });
  identityId = await newIdentity();
}, 60_000);

afterAll(async () => {
  await traced[Symbol.asyncDispose]();
});

async function newIdentity(): Promise<string> {
  return (await traced.world.client.data(CreateIdentityDocument)).createIdentity.identity.id;
}

async function issue(id: string, trace = newTrace(), gateway = 0) {
  const { client } = traced.gateways[gateway]!;
  const answer = await sendTraced(client, IssueTokenDocument, { identityId: id, scopes: ["CHAT"] }, trace);
  const { token, source } = (
    answer.data as { issueToken: { accessToken: { token: string; source: string } } }
  ).issueToken.accessToken;
  tokens.push(token);
  return { token, source, trace };
}

/** The spans of a trace, when its request's own has come: the last to end. */
async function spansOf({ traceId, spanId }: CallersTrace): Promise<readonly ReceivedSpan[]> {
  const ended = () => traced.receiver.trace(traceId).some(({ parentSpanId }) => parentSpanId === spanId);
  await until(ended, 20_000);
  return traced.receiver.trace(traceId);
}

const named = (spans: readonly ReceivedSpan[], name: string) => {
  const found = spans.filter((span) => span.name === name);
  expect([name, found.length]).toEqual([name, 1]);
  return found[0]!;
};

const issuing = [
  "POST /graphql",
  "  mutation issueToken",
  "    read token",
  "      EVALSHA acsgwRead",
  "    obtain token",
  "      EVALSHA acsgwAcquire",
  "      EVALSHA acsgwPermit",
  "      CommunicationIdentity-issueToken",
  "        IdentityRestClient.issueAccessToken",
  "          POST",
  "      EVALSHA acsgwCommit",
];
const serving = issuing.slice(0, 4);

it("tells all that an issuance comes to, in the caller's trace, up to Azure", async () => {
  const trace = newTrace("01", "vendor=what-it-will");
  const { source } = await issue(identityId, trace);
  expect(source).toBe("ISSUED");
  const spans = await spansOf(trace);
  expect(outline(spans, trace.spanId).sort()).toEqual([...issuing].sort());
  expect(named(spans, "POST /graphql")).toMatchObject({
    kind: 2,
    traceState: "vendor=what-it-will",
    failed: false,
    attributes: {
      "http.request.method": "POST",
      "http.route": "/graphql",
      "url.path": "/graphql",
      "network.protocol.version": "1.1",
      "http.response.status_code": 200,
    },
    resource: { "service.name": "acs-token-gateway", "telemetry.sdk.language": "nodejs" },
  });
  expect(named(spans, "mutation issueToken")).toMatchObject({
    kind: 1,
    attributes: {
      "graphql.operation.type": "mutation",
      "graphql.operation.name": "IssueToken",
      "acs_token_gateway.operation": "issueToken",
    },
  });
  expect(named(spans, "EVALSHA acsgwCommit")).toMatchObject({
    kind: 3,
    attributes: {
      "db.system.name": "redis",
      "db.operation.name": "EVALSHA",
      "db.stored_procedure.name": "acsgwCommit",
    },
  });
  const post = named(spans, "POST");
  expect(post).toMatchObject({
    kind: 3,
    attributes: {
      "http.request.method": "POST",
      "http.response.status_code": 200,
      "server.address": "127.0.0.1",
    },
  });
  expect(traced.azureSaw).toContain(`00-${trace.traceId}-${post.spanId}-01`);
});

it("tells the same of a cached token, whichever way the operation is answered", async () => {
  const document = IssueTokenDocument.toString().replace("mutation IssueToken", "mutation Another");
  const variables = { identityId, scopes: ["CHAT"] };
  const [first, second] = [newTrace(), newTrace()];
  // Apollo Server answers what it has not had before, and the compiled operation what it has.
  for (const trace of [first, second]) {
    const { errors } = await sendTraced(traced.client, document, variables, trace);
    expect(errors).toBeUndefined();
  }
  const told = async (trace: CallersTrace) => {
    const spans = await spansOf(trace);
    expect(outline(spans, trace.spanId)).toEqual(serving);
    return spans.map(({ name, kind, attributes }) => ({ name, kind, attributes }));
  };
  expect(await told(second)).toEqual(await told(first));
});

it("follows a request through two replicas of one trace", async () => {
  const id = await newIdentity();
  const trace = newTrace();
  const [a, b] = [await issue(id, trace, 0), await issue(id, trace, 1)];
  expect([a.source, b.source]).toEqual(["ISSUED", "CACHE"]);
  const requests = () => traced.receiver.trace(trace.traceId).filter(({ kind }) => kind === 2);
  await until(() => requests().length === 2, 20_000);
  expect(new Set(requests().map(({ resource }) => resource["service.instance.id"])).size).toBe(2);
});

it("tells a revocation with both halves of its bracket", async () => {
  const { trace, errors } = await sendTraced(traced.client, RevokeTokensDocument, { identityId });
  expect(errors).toBeUndefined();
  const spans = await spansOf(trace);
  expect(outline(spans, trace.spanId).sort()).toEqual(
    [
      "POST /graphql",
      "  mutation revokeTokens",
      "    EVALSHA acsgwBeginRevocation",
      "    EVALSHA acsgwPermit",
      "    CommunicationIdentity-revokeTokens",
      "      IdentityRestClient.revokeAccessTokens",
      "        POST",
      "    EVALSHA acsgwEndRevocation",
    ].sort(),
  );
});

it("tells the creation of an identity, whose one step in Redis is its permit", async () => {
  const { trace } = await sendTraced(traced.client, CreateIdentityDocument);
  const names = (await spansOf(trace)).map(({ name }) => name);
  expect(names).toContain("IdentityRestClient.create");
  expect(names.filter((name) => name.startsWith("EVALSHA"))).toEqual(["EVALSHA acsgwPermit"]);
});

describe("of what fails", () => {
  it("tells the code, and each attempt at Azure", async () => {
    const id = await newIdentity();
    traced.world.emulator.faults.add({ kind: "status", status: 500, times: 3 });
    const variables = { identityId: id, scopes: ["CHAT"] };
    const { trace, status } = await sendTraced(traced.client, IssueTokenDocument, variables);
    expect(status).toBe(503);
    const spans = await spansOf(trace);
    expect(named(spans, "POST /graphql")).toMatchObject({
      failed: true,
      attributes: { "http.response.status_code": 503, "error.type": "503" },
    });
    expect(named(spans, "mutation issueToken")).toMatchObject({
      failed: true,
      attributes: { "error.type": "UPSTREAM_UNAVAILABLE" },
    });
    const attempts = spans.filter(({ name }) => name === "POST");
    expect(attempts.map(({ failed, attributes }) => [failed, attributes["error.type"]])).toEqual(
      Array.from({ length: 3 }, () => [true, "500"]),
    );
  });

  it("tells a refused caller's code, and that it was not the gateway's fault", async () => {
    const stranger = traced.client.at(traced.client.url);
    const trace = newTrace();
    const { status } = await stranger.send(
      IssueTokenDocument.toString(),
      { identityId, scopes: ["CHAT"] },
      {
        headers: { ...trace.headers, "x-api-key": "not a key at all, and a secret nevertheless" },
      },
    );
    expect(status).toBe(401);
    const spans = await spansOf(trace);
    expect(named(spans, "POST /graphql")).toMatchObject({
      failed: false,
      attributes: { "http.response.status_code": 401 },
    });
    expect(named(spans, "GraphQL operation").attributes["error.type"]).toBe("UNAUTHENTICATED");
  });

  it("tells an invalid document as one", async () => {
    const { trace } = await sendTraced(traced.client, "mutation { noSuchField }");
    const operation = named(await spansOf(trace), "GraphQL operation");
    expect(operation).toMatchObject({
      failed: true,
      attributes: { "error.type": "GRAPHQL_VALIDATION_FAILED" },
    });
  });
});

it("makes one command of many reads: a part of one request's trace, and linked to the others'", async () => {
  await issue(identityId);
  const round = async () => {
    const all = await Promise.all(Array.from({ length: 24 }, () => issue(identityId)));
    const traces = await Promise.all(all.map(({ trace }) => spansOf(trace)));
    const spans = traces.flat();
    const commands = spans.filter(({ name }) => name === "EVALSHA acsgwRead");
    return { spans, commands, shared: commands.filter(({ links }) => links.length > 0) };
  };
  // Reads share a command when they are wanted within one turn: on a busy machine requests may come one by one.
  let found = await round();
  for (let more = 0; more < 10 && found.shared.length === 0; more++) found = await round();
  const { spans, commands, shared } = found;
  expect(shared.length).toBeGreaterThan(0);
  for (const command of shared) {
    expect(command.attributes["db.operation.batch.size"]).toBe(command.links.length + 1);
    for (const { traceId, spanId } of command.links) {
      const reading = spans.find((span) => span.spanId === spanId);
      expect(reading).toMatchObject({ name: "read token", traceId });
      expect(reading!.links).toEqual([{ traceId: command.traceId, spanId: command.spanId }]);
    }
  }
  // Each read is either the command's parent or linked to it.
  const readings = spans.filter(({ name }) => name === "read token");
  expect(readings).toHaveLength(24);
  expect(commands.reduce((sum, { links }) => sum + 1 + links.length, 0)).toBe(24);
});

it("links requests that wait for another's issuance to it", async () => {
  const id = await newIdentity();
  traced.world.emulator.faults.add({ kind: "latency", latencyMs: 400, times: 1 });
  const before = traced.azureSaw.length;
  const first = issue(id);
  await until(() => traced.azureSaw.length > before);
  const [one, other] = await Promise.all([first, issue(id)]);
  expect(other.token).toBe(one.token);
  const flight = named(await spansOf(one.trace), "obtain token");
  const waiting = named(await spansOf(other.trace), "wait for another request's token");
  expect(waiting.links).toEqual([{ traceId: flight.traceId, spanId: flight.spanId }]);
  expect(traced.azureSaw.length).toBe(before + 1);
});

it("tells a renewal in the background as a trace of its own, linked to the request that came to it", async () => {
  const id = await newIdentity();
  await issue(id);
  traced.world.clock.advanceBy({ minutes: 1440 * 0.85 });
  const { trace, source } = await issue(id);
  expect(source).toBe("CACHE");
  const renewals = () =>
    traced.receiver.spans.filter(
      ({ name, links }) => name === "renew token" && links.some(({ traceId }) => traceId === trace.traceId),
    );
  await until(() => renewals().length === 1, 20_000);
  const [renewal] = renewals();
  expect(renewal).toMatchObject({ parentSpanId: undefined, failed: false });
  expect(renewal!.traceId).not.toBe(trace.traceId);
  expect(traced.receiver.trace(renewal!.traceId).map(({ name }) => name)).toContain("POST");
  traced.world.clock.advanceBy({ minutes: -1440 * 0.85 });
});

it("does as the caller says: what he does not sample has no span, and Azure hears of no trace", async () => {
  const id = await newIdentity();
  const before = traced.azureSaw.length;
  const unsampled = newTrace("00");
  await issue(id, unsampled);
  expect(traced.azureSaw.slice(before)).toEqual([undefined]);
  // When a later one has come, the earlier one would have.
  const { trace } = await issue(id);
  await spansOf(trace);
  expect(traced.receiver.trace(unsampled.traceId)).toEqual([]);
});

it("begins a trace of its own for what is no traceparent", async () => {
  const zero = `00-${"0".repeat(32)}-${"0".repeat(16)}-01`;
  for (const traceparent of [zero, "nonsense", `ff-${"a".repeat(32)}-${"b".repeat(16)}-01`]) {
    const { status } = await traced.client.send(
      IssueTokenDocument.toString(),
      { identityId, scopes: ["CHAT"] },
      { headers: { traceparent } },
    );
    expect(status).toBe(200);
  }
  await spansOf((await issue(identityId)).trace);
  expect(traced.receiver.spans.filter(({ traceId }) => /^(0+|a+)$/.test(traceId))).toEqual([]);
});

it("sends no secret, and nothing that says who somebody is", async () => {
  await spansOf((await issue(identityId)).trace);
  const { text } = traced.receiver;
  const [, accessKey = "?"] = /accesskey=([^;]+)/.exec(traced.world.emulator.connectionString) ?? [];
  const secrets = [...tokens, developmentKey, encryptionKeys.split(":")[1]!, accessKey, "not a key at all"];
  for (const secret of secrets) expect(text.includes(secret)).toBe(false);
  expect(tokens.length).toBeGreaterThan(10);
  // Neither tokens nor identities nor documents nor addresses of clients.
  for (const form of [/eyJ[\w-]{5,}/, /8:acs:/, /identities\//, /issueToken\s*\(/, /client\.address/])
    expect(form.exec(text)?.[0]).toBeUndefined();
});
