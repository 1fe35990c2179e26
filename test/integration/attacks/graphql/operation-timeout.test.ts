/** No operation holds its caller, or what it asks of Azure, for longer than the time that one may take. */
import { once } from "node:events";
import { describe, expect, it } from "@jest/globals";
import {
  CreateIdentityAndTokenDocument,
  IssueTokenDocument,
  RefreshTokenDocument,
  RevokeTokensDocument,
  ViewerDocument,
} from "../../../../operations/generated/operations";
import { answerOf, SmallWorld } from "../../http/http-world";
import { until } from "../../../support/until";
import { startWorld } from "../../../support/world";

const soon = { parts: { operationTimeoutMs: 750 } };
const tooLate = { status: 504, extensions: { code: "OPERATION_TIMEOUT" } };

describe("an operation that takes too long", () => {
  it("is answered with 504, in the words of GraphQL, and its signal says that nobody waits", async () => {
    const aborted: unknown[] = [];
    await using world = await SmallWorld.start({
      http: { operationTimeoutMs: 50, corsOrigins: ["https://app.example"] },
      fields: {
        slow: async ({ signal }) => {
          await once(signal, "abort");
          aborted.push((signal.reason as Error).message);
          return "too late";
        },
      },
    });
    const response = await world.post(
      { query: '{ field(name: "slow") }' },
      { origin: "https://app.example", "x-request-id": "r1" },
    );
    expect(response.status).toBe(504);
    expect(response.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect(response.headers.get("x-request-id")).toBe("r1");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await answerOf(response)).toEqual({
      errors: [
        {
          message: "The operation took longer than 0.05 s. What it has begun may still take effect.",
          extensions: { code: "OPERATION_TIMEOUT" },
        },
      ],
    });
    expect(aborted).toEqual(["The time for an answer is over."]);
    expect(world.faults).toEqual([]);
  });

  it("hands an aborted signal to who asks for one afterwards", async () => {
    let asked: boolean | undefined;
    await using world = await SmallWorld.start({
      http: { operationTimeoutMs: 20 },
      fields: {
        // Asks for its signal only when its own work is done, long after the answer.
        late: async (context) => {
          await new Promise((resolve) => setTimeout(resolve, 60));
          asked = context.signal.aborted;
          return "too late";
        },
      },
    });
    expect((await world.post({ query: '{ field(name: "late") }' })).status).toBe(504);
    await until(() => asked !== undefined);
    expect(asked).toBe(true);
  });

  it("leaves the others alone", async () => {
    await using world = await startWorld(soon);
    const { createIdentity } = await world.client.data(CreateIdentityAndTokenDocument, { scopes: ["VOIP"] });
    const issue = { identityId: createIdentity.identity.id, scopes: ["CHAT" as const] };
    world.emulator.faults.add({ kind: "hang", operation: "issueAccessToken", times: 1 });
    const slow = world.client.error(IssueTokenDocument, issue);
    await world.client.data(ViewerDocument, {});
    expect(await slow).toMatchObject(tooLate);
    await world.client.data(IssueTokenDocument, issue);
  });
});

describe("a document of many mutations", () => {
  it("does not begin the rest once its time is over", async () => {
    await using world = await startWorld(soon);
    const { createIdentity } = await world.client.data(CreateIdentityAndTokenDocument, { scopes: ["VOIP"] });
    const id = createIdentity.identity.id;
    world.emulator.faults.add({ kind: "hang", operation: "issueAccessToken" });
    const issue = (_: unknown, index: number) =>
      `a${index}: issueToken(input: { identityId: "${id}", scopes: [CHAT], forceRefresh: true }) { accessToken { token } }`;
    const query = `mutation { ${Array.from({ length: 10 }, issue).join(" ")} }`;
    expect(await world.client.error(query)).toMatchObject(tooLate);
    world.emulator.faults.clear();
    await world.client.data(IssueTokenDocument, { identityId: id, scopes: ["VOIP_JOIN"] });
    // Of those behind the one that hung nothing was asked of Azure.
    expect(world.emulator.counts.snapshot().operations.issueAccessToken).toMatchObject({
      faulted: 1,
      worked: 1,
    });
  });
});

describe("a revocation that takes too long", () => {
  it("runs to its end behind its caller's back, also when the gateway closes meanwhile", async () => {
    await using world = await startWorld(soon);
    const { createIdentity } = await world.client.data(CreateIdentityAndTokenDocument, { scopes: ["VOIP"] });
    const { identity, accessToken } = createIdentity;
    world.emulator.faults.add({
      kind: "latency",
      latencyMs: 1_200,
      operation: "revokeAccessTokens",
      times: 1,
    });
    expect(await world.client.error(RevokeTokensDocument, { identityId: identity.id })).toMatchObject(
      tooLate,
    );
    expect(world.emulator.introspect(accessToken?.token ?? "")).toMatchObject({ active: true });
    await world.gateways[0]?.[Symbol.asyncDispose]();
    expect(world.emulator.introspect(accessToken?.token ?? "")).toMatchObject({ active: false });
  });

  it("serves nothing from before it, whatever its caller was told", async () => {
    await using world = await startWorld(soon);
    const { createIdentity } = await world.client.data(CreateIdentityAndTokenDocument, { scopes: ["VOIP"] });
    const { id: identityId } = createIdentity.identity;
    world.emulator.faults.add({
      kind: "answerLate",
      latencyMs: 1_200,
      operation: "revokeAccessTokens",
      times: 1,
    });
    expect(await world.client.error(RevokeTokensDocument, { identityId })).toMatchObject(tooLate);
    await until(async () => {
      const { data } = await world.client.send(IssueTokenDocument, { identityId, scopes: ["VOIP"] });
      return data?.issueToken.accessToken.token !== undefined;
    });
    const { issueToken } = await world.client.data(RefreshTokenDocument, { identityId, scopes: ["VOIP"] });
    expect(world.emulator.introspect(issueToken.accessToken.token)).toMatchObject({ active: true });
    const again = await world.client.data(IssueTokenDocument, { identityId, scopes: ["VOIP"] });
    expect(again.issueToken.accessToken.token).not.toBe(createIdentity.accessToken?.token);
  });
});
