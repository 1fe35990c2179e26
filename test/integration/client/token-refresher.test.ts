/** The client against a real gateway, and against what stands between them. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inspect, promisify } from "node:util";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { buildSchema, isEnumType, parse, validate } from "graphql";
import {
  createTokenRefresher,
  watchRevocations,
  type IssuedToken,
  type TokenRefreshError,
  type TokenRefresherOptions,
  type TokenRevocation,
} from "../../../client";
import type { TokenScope } from "../../../client/token-refresher";
import { RevokeTokensDocument } from "../../../operations/generated/operations";
import { audience, startIssuer, type Issuer } from "../../support/issuer";
import { until } from "../../support/until";
import { startWorld, type World } from "../../support/world";
import { answer, hang, refuse, reset, shortToken, startFront, type Front } from "./front";

const root = join(__dirname, "..", "..", "..");
let issuer: Issuer;
let world: World;
let front: Front;
let user: { readonly id: string; readonly authorization: string };

beforeAll(async () => {
  issuer = await startIssuer();
  world = await startWorld({
    environment: {
      OIDC_ISSUERS: `${issuer.url} audience=${audience} jwks=${issuer.jwksUrl} identity-claim=acs`,
    },
  });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});
beforeEach(async () => {
  front = await startFront(world.client.url);
  const made = await world.client.data<{ createIdentity: { identity: { id: string } } }, object>(
    "mutation { createIdentity { identity { id } } }",
  );
  const { id } = made.createIdentity.identity;
  user = { id, authorization: `Bearer ${await issuer.token("ada", { acs: id })}` };
});
afterEach(async () => {
  await front[Symbol.asyncDispose]();
});

interface Seen {
  readonly tokens: IssuedToken[];
  readonly failures: { readonly code: string; readonly inMs: number | undefined }[];
}

function refresher(options: Partial<TokenRefresherOptions> = {}) {
  const seen: Seen = { tokens: [], failures: [] };
  const refresh = createTokenRefresher({
    endpoint: front.url,
    getAuthorization: () => user.authorization,
    scopes: ["CHAT", "VOIP"],
    onToken: (issued) => seen.tokens.push(issued),
    onFailure: ({ code }, retry) => seen.failures.push({ code, inMs: retry?.inMs }),
    ...options,
  });
  return { refresh, seen };
}

describe("gets a token", () => {
  it("for the real credential", async () => {
    const { refresh, seen } = refresher();
    using credential = disposable(
      new AzureCommunicationTokenCredential({
        token: await refresh(),
        tokenRefresher: refresh,
        refreshProactively: true,
      }),
    );
    const { token } = await credential.of.getToken();
    expect(seen.tokens).toEqual([
      { token, identityId: user.id, scopes: ["CHAT", "VOIP"], source: "ISSUED", expiresOn: expect.any(Date) },
    ]);
    expect(await refresh()).toBe(token);
    expect(seen.tokens[1]?.source).toBe("CACHE");
    expect(seen.failures).toEqual([]);
  });

  it("once for all who ask at the same time", async () => {
    const { refresh } = refresher();
    const tokens = await Promise.all(Array.from({ length: 20 }, () => refresh()));
    expect(new Set(tokens).size).toBe(1);
    expect(front.requests).toHaveLength(1);
  });

  it("that is new after invalidate, also when one was on its way", async () => {
    const { refresh, seen } = refresher();
    const first = await refresh();
    refresh.invalidate();
    const second = await refresh();
    expect(second).not.toBe(first);
    const onItsWay = refresh();
    refresh.invalidate();
    const third = await onItsWay;
    expect([first, second]).not.toContain(third);
    expect(seen.tokens.map(({ source }) => source)).toEqual(["ISSUED", "ISSUED", "ISSUED"]);
  });

  it("with what it is asked for, and an authorization that is asked for each time", async () => {
    let count = 0;
    const { refresh } = refresher({
      getAuthorization: () => Promise.resolve(`Bearer number-${++count}`),
      scopes: ["VOIP_JOIN"],
      expiresInMinutes: 60,
      device: "phone",
    });
    await expect(refresh()).rejects.toMatchObject({ code: "UNAUTHENTICATED", permanent: true });
    await expect(refresh()).rejects.toThrow("access token");
    expect(front.requests.map(({ authorization }) => authorization)).toEqual([
      "Bearer number-1",
      "Bearer number-2",
    ]);
    expect(JSON.parse(front.requests[0]!.body)).toMatchObject({
      variables: {
        input: { scopes: ["VOIP_JOIN"], expiresInMinutes: 60, device: "phone", forceRefresh: false },
      },
    });
  });
});

describe("when somebody waits", () => {
  it("tries again what may pass, and tells of it", async () => {
    front.faults.push(answer(502, "<h1>Bad gateway</h1>"), reset, refuse(503, "UPSTREAM_UNAVAILABLE"));
    const { refresh, seen } = refresher();
    expect(await refresh()).toMatch(/^eyJ/);
    expect(seen.failures.map(({ code }) => code)).toEqual([
      "NOT_A_GATEWAY",
      "NETWORK_ERROR",
      "UPSTREAM_UNAVAILABLE",
    ]);
    const delays = seen.failures.map(({ inMs = 0 }) => inMs);
    [500, 1_000, 2_000].forEach((most, index) => {
      expect(delays[index]).toBeGreaterThanOrEqual(most / 2);
      expect(delays[index]).toBeLessThanOrEqual(most);
    });
  });

  it.each([
    ["extensions", refuse(429, "RATE_LIMITED", { retryAfterSeconds: 1 }), "RATE_LIMITED"],
    ["the header", answer(503, "later", { "retry-after": "1" }), "NOT_A_GATEWAY"],
  ])("waits as long as %s say", async (_where, fault, code) => {
    front.faults.push(fault);
    const { refresh, seen } = refresher();
    await refresh();
    expect(seen.failures).toEqual([{ code, inMs: 1_000 }]);
    const [first, second] = front.requests;
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(990);
  });

  it("does not try again what would fail again", async () => {
    front.faults.push(refuse(403, "FORBIDDEN"), answer(404, "nothing here"));
    const { refresh, seen } = refresher();
    await expect(refresh()).rejects.toMatchObject({ name: "TokenRefreshError", code: "FORBIDDEN" });
    await expect(refresh()).rejects.toMatchObject({ code: "NOT_A_GATEWAY", permanent: true });
    const { refresh: signedOut } = refresher({
      getAuthorization: () => Promise.reject(new Error("sign in")),
    });
    await expect(signedOut()).rejects.toMatchObject({
      code: "AUTHORIZATION_FAILED",
      cause: new Error("sign in"),
    });
    expect(seen.failures.map(({ inMs }) => inMs)).toEqual([undefined, undefined]);
    expect(front.requests).toHaveLength(2);
  });

  it("waits until the date that the header says", async () => {
    const at = new Date(Date.now() + 90_000).toUTCString();
    front.faults.push(answer(503, "later", { "retry-after": at }));
    const { refresh } = refresher();
    const error: unknown = await refresh().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "NOT_A_GATEWAY" });
    const { retryAfterSeconds = 0 } = error as TokenRefreshError;
    expect(retryAfterSeconds).toBeGreaterThan(80);
    expect(retryAfterSeconds).toBeLessThanOrEqual(90);
  });

  it("does not try again what is refused with a code that it does not know", async () => {
    front.faults.push(refuse(413, "PAYLOAD_TOO_LARGE"), refuse(400, "OPERATION_TOO_COMPLEX"));
    const { refresh } = refresher();
    await expect(refresh()).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE", permanent: true });
    await expect(refresh()).rejects.toMatchObject({ code: "OPERATION_TOO_COMPLEX", permanent: true });
  });

  it("does not tell the authorization in an error, whatever is wrong with it", async () => {
    for (const authorization of ["Bearer s3cret\nX", "Bearer s3cret\u2026"]) {
      const { refresh } = refresher({ getAuthorization: () => authorization });
      const error: unknown = await refresh().catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "AUTHORIZATION_FAILED", permanent: true });
      expect(inspect(error, { depth: 9 })).not.toContain("s3cret");
    }
    expect(front.requests).toEqual([]);
  });

  it("gives up when it would take longer than its patience", async () => {
    front.faults.push(refuse(429, "RATE_LIMITED", { retryAfterSeconds: 60 }));
    const { refresh } = refresher();
    await expect(refresh()).rejects.toMatchObject({ code: "RATE_LIMITED", retryAfterSeconds: 60 });
  });

  it("does not wait for a gateway that hangs", async () => {
    front.faults.push(hang);
    const { refresh, seen } = refresher({ timeoutMs: 100 });
    expect(await refresh()).toMatch(/^eyJ/);
    expect(seen.failures.map(({ code }) => code)).toEqual(["TIMEOUT"]);
  });

  it("says so when a token has expired by the device's clock, and asks for a new one", async () => {
    front.faults.push(shortToken(-1));
    const { refresh, seen } = refresher();
    expect(await refresh()).toMatch(/^eyJ/);
    expect(seen.failures.map(({ code }) => code)).toEqual(["TOKEN_EXPIRED"]);
    expect(front.requests[1]?.body).toContain('"forceRefresh":true');
  });

  it("lets each who waits leave, and drops the request when nobody is left", async () => {
    front.faults.push(hang);
    const { refresh } = refresher();
    const [one, other] = [new AbortController(), new AbortController()];
    const [first, second] = [refresh(one.signal), refresh(other.signal)];
    await until(() => front.requests.length === 1);
    one.abort();
    await expect(first).rejects.toMatchObject({ name: "AbortError" });
    expect(front.dropped()).toBe(0);
    other.abort();
    await expect(second).rejects.toMatchObject({ name: "AbortError" });
    await until(() => front.dropped() === 1);
    expect(await refresh()).toMatch(/^eyJ/);
  });

  it("ends when the user signs out", async () => {
    front.faults.push(hang);
    const signedOut = new AbortController();
    const { refresh } = refresher({ signal: signedOut.signal });
    const waiting = refresh();
    await until(() => front.requests.length === 1);
    signedOut.abort();
    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
    await expect(refresh()).rejects.toMatchObject({ name: "AbortError" });
    await until(() => front.dropped() === 1);
  });
});

describe("when nobody waits", () => {
  it("keeps at it, and rejects nothing", async () => {
    const signedOut = new AbortController();
    const { refresh, seen } = refresher({ signal: signedOut.signal });
    await refresh();
    front.faults.push(answer(502, "<h1>Bad gateway</h1>"), reset);
    expect(await refresh()).toMatch(/^eyJ/);
    expect(seen.failures).toHaveLength(2);
    front.faults.push(refuse(401, "UNAUTHENTICATED"));
    const settled: string[] = [];
    const background = refresh().then(
      () => settled.push("resolved"),
      () => settled.push("rejected"),
    );
    await until(() => seen.failures.length === 3);
    expect(seen.failures[2]?.inMs).toBeGreaterThanOrEqual(15_000);
    signedOut.abort();
    await Promise.race([background, new Promise((resolve) => setImmediate(resolve))]);
    expect(settled).toEqual([]);
  });

  it("takes JSON that is no gateway's for an answer that may pass", async () => {
    const { refresh, seen } = refresher();
    await refresh();
    const wrong = [null, [], { data: {} }, { data: { issueToken: null } }, issued({}), { errors: [null] }];
    for (const body of wrong) {
      front.faults.push(answer(200, JSON.stringify(body), { "content-type": "application/json" }));
      expect(await refresh()).toMatch(/^eyJ/);
    }
    expect(seen.failures.map(({ code }) => code)).toEqual(wrong.map(() => "NOT_A_GATEWAY"));
  });

  it("does not mind what onToken and onFailure throw, and shows it", async () => {
    const shown = jest.spyOn(console, "error").mockReturnValue();
    try {
      const [one, other] = [new Error("a mistake in onToken"), new Error("a mistake in onFailure")];
      const { refresh } = refresher({
        onToken: () => {
          throw one;
        },
        onFailure: () => {
          throw other;
        },
      });
      await refresh();
      front.faults.push(reset);
      expect(await refresh()).toMatch(/^eyJ/);
      expect(shown.mock.calls).toEqual([[one], [other], [one]]);
    } finally {
      shown.mockRestore();
    }
  });

  it("asks every two seconds at most, however short a token is", async () => {
    front.faults.push(shortToken(0.2), shortToken(0.2), shortToken(3_600));
    const { refresh, seen } = refresher();
    const enough = Date.now() + 3_000;
    for (let last = 0; last < enough; last = seen.tokens.at(-1)?.expiresOn.getTime() ?? 0) await refresh();
    expect(seen.failures).toEqual([]);
    const at = front.requests.map((request) => request.at);
    expect(at).toHaveLength(3);
    expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(1_900);
    expect(at[2]! - at[1]!).toBeGreaterThanOrEqual(1_900);
  });

  it("keeps a credential alive that a refresher as everybody writes it would let die, and does not loop on short tokens", async () => {
    const run = promisify(execFile);
    const start = (before: Front, kind: string, forMs: number, enoughSeconds: number) => {
      const args = [before.url, kind, String(forMs), String(enoughSeconds)];
      return run(process.execPath, [join(__dirname, "credential.mjs"), ...args]);
    };
    // The credential renews ten minutes before the end: with these tokens a second after its start.
    const almostTenMinutes = 601;
    await using naive = await startFront(world.client.url);
    naive.faults.push(shortToken(almostTenMinutes), refuse(503, "UPSTREAM_UNAVAILABLE"));
    front.faults.push(
      shortToken(almostTenMinutes),
      refuse(503, "UPSTREAM_UNAVAILABLE"),
      reset,
      shortToken(3_600),
    );
    await using short = await startFront(world.client.url);
    short.faults.push(...Array.from({ length: 100 }, () => shortToken(4)));
    const [theirs, ours, onShort] = await Promise.allSettled([
      start(naive, "naive", 15_000, 3_500),
      start(front, "ours", 15_000, 3_500),
      start(short, "ours-in-commonjs", 5_000, 3_500),
    ]);
    expect(theirs).toMatchObject({
      status: "rejected",
      reason: { code: 1, stderr: expect.stringContaining("status 503") },
    });
    expect(ours).toMatchObject({ status: "fulfilled", value: { stderr: "" } });
    expect(secondsLeft(ours)).toBeGreaterThan(3_500);
    expect(front.requests).toHaveLength(4);
    expect(secondsLeft(onShort)).toBeGreaterThan(0);
    // One each two seconds; a plain refresher is asked after half of what is left, again and again.
    expect(short.requests.length).toBeLessThanOrEqual(4);
  });
});

function secondsLeft(end: PromiseSettledResult<{ stdout: string }>): number {
  if (end.status === "rejected") throw end.reason;
  return (JSON.parse(end.value.stdout) as { secondsLeft: number }).secondsLeft;
}

describe("watchRevocations", () => {
  it("tells of revocations, and goes on when the gateway was away", async () => {
    const told: TokenRevocation[] = [];
    const seen = { opened: 0, failures: [] as string[] };
    const end = new AbortController();
    const place = { at: world.client.url };
    const watching = watchRevocations({
      endpoint: "http://gateway.invalid/graphql",
      fetch: (_url, init) => fetch(place.at, init),
      getAuthorization: () => user.authorization,
      signal: end.signal,
      onOpen: () => (seen.opened += 1),
      onRevoked: (revocation) => told.push(revocation),
      onFailure: ({ code }) => seen.failures.push(code),
    });
    await until(() => seen.opened === 1);
    await world.client.data(RevokeTokensDocument, { identityId: user.id });
    await until(() => told.length === 1);
    expect(told[0]).toEqual({
      identityId: user.id,
      cause: "REVOKED",
      revokedAt: new Date(world.clock.now()),
    });
    const second = await world.addGateway();
    place.at = second.url;
    end.abort();
    await watching;
    expect(seen.failures).toEqual([]);
  });

  it("connects again by itself to a gateway that stopped", async () => {
    const gateways = [await world.addGateway(), await world.addGateway()];
    const seen = { opened: 0, failures: [] as string[] };
    const end = new AbortController();
    let place = gateways[0]!.url;
    const watching = watchRevocations({
      endpoint: "http://gateway.invalid/graphql",
      fetch: (_url, init) => fetch(place, init),
      getAuthorization: () => user.authorization,
      signal: end.signal,
      onOpen: () => (seen.opened += 1),
      onRevoked: () => undefined,
      onFailure: ({ code }) => seen.failures.push(code),
    });
    await until(() => seen.opened === 1);
    await gateways[0]![Symbol.asyncDispose]();
    await until(() => seen.failures.length > 0);
    place = gateways[1]!.url;
    await until(() => seen.opened === 2);
    end.abort();
    await watching;
  });

  it("survives events that are none, and listeners that throw", async () => {
    const stream = (text: string) => answer(200, text, { "content-type": "text/event-stream" });
    front.faults.push(stream("event: next\ndata: {\n\n"), stream('event: next\ndata: {"data":{}}\n\n'));
    const good = { identity: { id: user.id }, cause: "REVOKED", revokedAt: new Date().toISOString() };
    front.faults.push(stream(`event: next\ndata: ${JSON.stringify({ data: { tokenRevoked: good } })}\n\n`));
    const end = new AbortController();
    const failures: string[] = [];
    const shown = jest.spyOn(console, "error").mockImplementation(() => undefined);
    try {
      await watchRevocations({
        endpoint: front.url,
        getAuthorization: () => user.authorization,
        signal: end.signal,
        onRevoked: () => {
          end.abort();
          throw new Error("a mistake of the app");
        },
        onFailure: ({ code }) => failures.push(code),
      });
      expect(failures).toEqual(["NOT_A_GATEWAY", "NOT_A_GATEWAY"]);
      expect(shown).toHaveBeenCalledWith(new Error("a mistake of the app"));
    } finally {
      shown.mockRestore();
    }
  });

  it("stops when it is refused", async () => {
    const failures: unknown[] = [];
    await watchRevocations({
      endpoint: world.client.url,
      getAuthorization: () => user.authorization,
      identityId: user.id.replace(/_.*/, "_somebody-else"),
      onRevoked: () => undefined,
      onFailure: ({ code }, retry) => failures.push(code, retry),
    });
    expect(failures).toEqual(["FORBIDDEN", undefined]);
  });
});

describe("is small and true to the schema", () => {
  it("has fewer than 3,000 bytes minified and compressed", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [join(__dirname, "size.mjs")], {
      env: { ...process.env, NODE_ENV: "production" },
    });
    expect(Number(stdout)).toBeGreaterThan(500);
    expect(Number(stdout)).toBeLessThan(3_000);
  });

  it("sends operations that the schema knows", () => {
    const schema = buildSchema(readFileSync(join(root, "schema.graphql"), "utf8"), { assumeValidSDL: true });
    for (const file of ["token-refresher.ts", "watch-revocations.ts"]) {
      const text = readFileSync(join(root, "client", file), "utf8");
      const document = /const query = `([^`]+)`/.exec(text)?.[1] ?? "";
      expect(validate(schema, parse(document))).toEqual([]);
    }
    const scopes: Readonly<Record<TokenScope, true>> = {
      CHAT: true,
      CHAT_JOIN: true,
      CHAT_JOIN_LIMITED: true,
      VOIP: true,
      VOIP_JOIN: true,
    };
    const sources: Readonly<Record<IssuedToken["source"], true>> = { ISSUED: true, CACHE: true };
    const causes: Readonly<Record<TokenRevocation["cause"], true>> = {
      REVOKED: true,
      IDENTITY_DELETED: true,
    };
    const enums = { TokenScope: scopes, TokenSource: sources, RevocationCause: causes };
    for (const [name, values] of Object.entries(enums)) {
      const type = schema.getType(name);
      expect(isEnumType(type) && type.getValues().map((value) => value.name)).toEqual(Object.keys(values));
    }
  });
});

/** An answer to issueToken that lasts for an hour, with such a token in it. */
function issued(accessToken: object): object {
  const expiresOn = new Date(Date.now() + 3_600_000).toISOString();
  return {
    data: { issueToken: { identity: { id: "8:acs:a_b" }, accessToken: { expiresOn, ...accessToken } } },
  };
}

function disposable(of: AzureCommunicationTokenCredential) {
  return {
    of,
    [Symbol.dispose]: () => {
      of.dispose();
    },
  };
}
