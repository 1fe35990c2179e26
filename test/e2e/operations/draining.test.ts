/** How a gateway that is asked to end goes: announced, bounded, and at once when it is asked twice. */
import { expect, it } from "@jest/globals";
import { startEmulator } from "../../../emulator/emulator";
import {
  CreateIdentityAndTokenDocument,
  CreateIdentityDocument,
  IssueTokenDocument,
  TokenRevokedDocument,
} from "../../../operations/generated/operations";
import { openStream } from "../../support/event-stream";
import { startGatewayProcess } from "../../support/gateway-process";
import { until } from "../../support/until";
import { developmentKey } from "../../support/world";

const started = async (environment: Readonly<Record<string, string>>) => {
  const emulator = await startEmulator({ limits: false });
  const gateway = await startGatewayProcess({
    ACS_CONNECTION_STRING: emulator.connectionString,
    ...environment,
  });
  const ready = async () => {
    const response = await fetch(`${gateway.origin}/health/ready`);
    return [response.status, ((await response.json()) as { status: string }).status];
  };
  return {
    ...{ emulator, gateway, ready },
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]();
      await emulator[Symbol.asyncDispose]();
    },
  };
};

it("serves everything while it drains, says so, and completes streams at the end", async () => {
  await using on = await started({ DRAIN_DELAY_MS: "2500" });
  const { gateway, ready } = on;
  const { identity } = (await gateway.client.data(CreateIdentityDocument)).createIdentity;
  const headers = { "x-api-key": developmentKey };
  await using stream = await openStream(gateway.url, headers, TokenRevokedDocument.toString(), {
    identityId: identity.id,
  });
  expect(stream.begun).toBe(true);
  expect(await ready()).toEqual([200, "ready"]);
  const ended = gateway.end("SIGTERM");
  await until(async () => (await ready())[0] === 503);
  expect(await ready()).toEqual([503, "draining"]);
  // Each of these comes on a connection of its own, for the one before was told to be the last.
  for (let request = 0; request < 5; request++) {
    const answer = await gateway.client.send(IssueTokenDocument, {
      identityId: identity.id,
      scopes: ["CHAT"],
    });
    expect([answer.errors, answer.headers.get("connection")]).toEqual([undefined, "close"]);
  }
  expect(stream.completed).toBe(false);
  expect(await stream.next()).toBeUndefined();
  expect(stream.completed).toBe(true);
  const { code, signal, stderr } = await ended;
  expect([code, signal]).toEqual([0, null]);
  expect(stderr).toContain('"delayMs":2500,"msg":"draining');
}, 120_000);

it("does not keep a person waiting who ends it with Ctrl-C", async () => {
  await using on = await started({ DRAIN_DELAY_MS: "60000" });
  expect(await on.gateway.end("SIGINT")).toMatchObject({ code: 0, signal: null });
}, 120_000);

it.each([
  ["SIGTERM", "SIGINT", 130],
  ["SIGTERM", "SIGTERM", 143],
] as const)(
  "ends at once when %s is followed by %s",
  async (first, second, code) => {
    await using on = await started({ DRAIN_DELAY_MS: "60000" });
    on.gateway.signal(first);
    await until(async () => (await on.ready())[1] === "draining");
    expect(await on.gateway.end(second)).toMatchObject({ code, signal: null });
  },
  30_000,
);

it("finishes what is in flight, and cuts what takes longer than it may", async () => {
  await using on = await started({ DRAIN_TIMEOUT_MS: "1500" });
  const { emulator, gateway } = on;
  emulator.faults.add({ kind: "answerLate", latencyMs: 500, times: 1 });
  const soon = gateway.client.send(CreateIdentityAndTokenDocument, { scopes: ["CHAT"] });
  await until(() => emulator.identities.list().length === 1);
  emulator.faults.add({ kind: "answerLate", latencyMs: 8_000, times: 1 });
  const late = gateway.client.send(CreateIdentityAndTokenDocument, { scopes: ["CHAT"] });
  const cut = expect(late).rejects.toThrow();
  await until(() => emulator.identities.list().length === 2);
  const ended = gateway.end("SIGTERM");
  expect((await soon).errors).toBeUndefined();
  await cut;
  const { code, stderr } = await ended;
  expect(code).toBe(0);
  // Its identity is nobody's, which is told, because no process is left that would know its id.
  expect(stderr).toContain("a create's outcome is unknown");
}, 120_000);
