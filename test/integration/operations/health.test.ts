/** What /health says of real parts that go away and come back, and while a gateway starts. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { expect, it } from "@jest/globals";
import {
  CreateIdentityDocument,
  IssueTokenDocument,
  ViewerDocument,
} from "../../../operations/generated/operations";
import { loadConfig } from "../../../src/config";
import { createGateway } from "../../../src/gateway";
import type { Readiness } from "../../../src/services/telemetry/health";
import { FakeClock } from "../../support/fake-clock";
import { GraphqlClient } from "../../support/graphql-client";
import { audience, startIssuer } from "../../support/issuer";
import { startPostgres } from "../../support/postgres-server";
import { recordEvents } from "../../support/recorded-events";
import { startTcpProxy } from "../../support/tcp-proxy";
import { until } from "../../support/until";
import { startWorld } from "../../support/world";

/** A token for the caller's own identity. */
const ownToken = "mutation { issueToken(input: { scopes: [CHAT] }) { accessToken { source } } }";

async function readyAt(origin: string): Promise<Readiness & { readonly code: number }> {
  const response = await fetch(`${origin}/health/ready`);
  return { code: response.status, ...((await response.json()) as Readiness) };
}

it("tells each part's state and since when, and stays ready whichever is away", async () => {
  await using postgres = await startPostgres();
  await using toPostgres = await startTcpProxy(postgres.port);
  await using issuer = await startIssuer(() => world.clock.now());
  await using toIssuer = await startTcpProxy(Number(new URL(issuer.url).port));
  const { url } = await postgres.makeDatabase();
  await using world = await startWorld({
    redis: true,
    environment: {
      DATABASE_URL: url.replace(`:${postgres.port}`, `:${toPostgres.port}`),
      OIDC_ISSUERS: `${issuer.url} audience=${audience} jwks=http://127.0.0.1:${toIssuer.port}/jwks`,
      ACS_TIMEOUT_MS: "1000",
    },
  });
  const [gateway] = world.gateways;
  const { origin } = gateway!;
  const stateOf = async (part: string) => (await readyAt(origin)).parts[part]?.state;
  const since = (await readyAt(origin)).parts.redis?.since;
  const ok = { state: "ok", since };
  expect(await readyAt(origin)).toEqual({
    ...{ code: 200, status: "ready" },
    parts: { azure: ok, redis: ok, directory: ok, issuers: ok, log: ok },
  });
  const token = await issuer.token("ada");
  const ada = new GraphqlClient(gateway!.url, { authorization: `Bearer ${token}` });
  await ada.data(ViewerDocument);

  world.clock.advanceBy({ minutes: 1 });
  await world.redis!.kill();
  await until(async () => (await stateOf("redis")) === "away");
  const away = await readyAt(origin);
  expect([away.code, away.status, away.parts.redis?.since]).toEqual([
    200,
    "degraded",
    new Date(world.clock.now()).toISOString(),
  ]);
  expect(away.parts.azure).toEqual(ok);
  await world.redis!.restart();
  await until(async () => (await stateOf("redis")) === "ok");

  toPostgres.refusing = true;
  toPostgres.resetAll();
  const ben = new GraphqlClient(gateway!.url, { authorization: `Bearer ${await issuer.token("ben")}` });
  expect((await ben.error(ownToken)).extensions.code).toBe("DIRECTORY_UNAVAILABLE");
  expect(await readyAt(origin)).toMatchObject({
    code: 200,
    status: "degraded",
    parts: { directory: { state: "away" } },
  });
  // It is found to be back without anybody's request.
  toPostgres.refusing = false;
  await until(async () => (await stateOf("directory")) === "ok");

  toIssuer.refusing = true;
  toIssuer.resetAll();
  world.clock.advanceBy({ minutes: 11 });
  await ada.send(ViewerDocument);
  await until(async () => (await stateOf("issuers")) === "stale");
  expect((await readyAt(origin)).code).toBe(200);
  toIssuer.refusing = false;
  world.clock.advanceBy({ minutes: 1 });
  await ada.send(ViewerDocument);
  await until(async () => (await stateOf("issuers")) === "ok");

  const identityId = (await world.client.data(CreateIdentityDocument)).createIdentity.identity.id;
  world.emulator.faults.add({ kind: "status", status: 500, operation: "issueAccessToken" });
  await Promise.all(
    Array.from({ length: 30 }, (_, index) =>
      world.client.send(IssueTokenDocument, { identityId, scopes: ["CHAT"], expiresInMinutes: 60 + index }),
    ),
  );
  expect(await readyAt(origin)).toMatchObject({
    code: 200,
    status: "degraded",
    parts: { azure: { state: "failing" } },
  });
  world.emulator.faults.clear();
  await until(async () => {
    await world.client.send(IssueTokenDocument, { identityId, scopes: ["VOIP"], expiresInMinutes: 100 });
    return (await stateOf("azure")) === "ok";
  });
  const { code, status, parts } = await readyAt(origin);
  expect([code, status]).toEqual([200, "ready"]);
  expect(JSON.stringify(parts)).not.toMatch(/127\.0\.0\.1|localhost|:\d{4,5}"/);
}, 120_000);

it("has started when the first try to connect to Azure is over, however that ends", async () => {
  // Takes connections, and says nothing: the handshake of TLS goes on.
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket.on("error", () => undefined)));
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  const config = loadConfig({
    ...{ PORT: "0", EXPLORER: "false" },
    ACS_CONNECTION_STRING: `endpoint=https://127.0.0.1:${port}/;accesskey=c2VjcmV0`,
  });
  const gateway = await createGateway(config, { events: recordEvents(), clock: new FakeClock() });
  try {
    const { origin } = await gateway.start();
    const startup = async () => {
      const response = await fetch(`${origin}/health/startup`);
      return [response.status, await response.json()];
    };
    expect(await startup()).toEqual([503, { status: "starting" }]);
    // Whoever asks all the same is served.
    expect((await readyAt(origin)).code).toBe(200);
    await until(() => sockets.length > 0);
    for (const socket of sockets) socket.destroy();
    await until(async () => (await startup())[0] === 200);
    expect(await startup()).toEqual([200, { status: "started" }]);
  } finally {
    await gateway[Symbol.asyncDispose]();
    silent.close();
  }
});
