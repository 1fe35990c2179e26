/** The emulator knows what became of each token, in the order in which things were done. */
import { afterEach, describe, expect, it } from "@jest/globals";
import { CommunicationIdentityClient, type TokenScope } from "@azure/communication-identity";
import type { CommunicationUserIdentifier } from "@azure/communication-common";
import { startEmulator, type Emulator, type EmulatorOptions } from "../../../emulator/emulator";

const minute = 60_000;
const start0 = Date.UTC(2026, 10, 23);

let now: number;
let emulator: Emulator | undefined;
afterEach(() => emulator?.[Symbol.asyncDispose]());

async function start(options: EmulatorOptions = {}): Promise<{ emulator: Emulator; client: Client }> {
  now = start0;
  // The SDK signs with the machine's own time.
  emulator = await startEmulator({ clock: () => now, clockSkewMs: Infinity, limits: false, ...options });
  return { emulator, client: new Client(emulator.connectionString) };
}

class Client {
  private readonly sdk: CommunicationIdentityClient;

  constructor(connectionString: string) {
    this.sdk = new CommunicationIdentityClient(connectionString, { allowInsecureConnection: true });
  }

  create = () => this.sdk.createUser();
  delete = (user: CommunicationUserIdentifier) => this.sdk.deleteUser(user);
  revoke = (user: CommunicationUserIdentifier) => this.sdk.revokeTokens(user);
  issue = async (user: CommunicationUserIdentifier, minutes = 1440, scopes: TokenScope[] = ["chat"]) =>
    (await this.sdk.getToken(user, scopes, { tokenExpiresInMinutes: minutes })).token;
}

it("tells whose an active token is, what it may, and until when", async () => {
  const { emulator, client } = await start();
  const user = await client.create();
  const token = await client.issue(user, 60, ["voip", "chat"]);
  expect(emulator.introspect(token)).toEqual({
    active: true,
    identityId: user.communicationUserId,
    scopes: ["voip", "chat"],
    issuedAt: start0,
    expiresOn: start0 + 60 * minute,
  });
});

it("answers the same through its route", async () => {
  const { emulator, client } = await start();
  const token = await client.issue(await client.create());
  const response = await fetch(`${emulator.url}/_emulator/introspect`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
  expect(await response.json()).toEqual(emulator.introspect(token));
});

it("says from the very millisecond that a token has expired", async () => {
  const { emulator, client } = await start();
  const token = await client.issue(await client.create(), 60);
  now += 60 * minute - 1;
  expect(emulator.introspect(token)).toMatchObject({ active: true });
  now += 1;
  expect(emulator.introspect(token)).toMatchObject({ active: false, reason: "expired", since: now });
});

it("says of revoked and of deleted tokens since when they are dead", async () => {
  const { emulator, client } = await start();
  const user = await client.create();
  const first = await client.issue(user);
  now += minute;
  await client.revoke(user);
  const second = await client.issue(user);
  now += minute;
  await client.revoke(user);
  now += minute;
  expect(emulator.introspect(first)).toMatchObject({
    active: false,
    reason: "revoked",
    since: start0 + minute,
  });
  expect(emulator.introspect(second)).toMatchObject({ reason: "revoked", since: start0 + 2 * minute });
  const third = await client.issue(user);
  await client.delete(user);
  expect(emulator.introspect(third)).toMatchObject({ active: false, reason: "deleted", since: now });
  // A token dies once: what was revoked stays dead since then.
  expect(emulator.introspect(first)).toMatchObject({ reason: "revoked", since: start0 + minute });
});

it("leaves the tokens of other identities alone", async () => {
  const { emulator, client } = await start();
  const [user, other] = [await client.create(), await client.create()];
  const token = await client.issue(other);
  await client.revoke(user);
  await client.delete(user);
  expect(emulator.introspect(token)).toMatchObject({ active: true });
});

it("knows no token that it did not issue, and none that was altered", async () => {
  const { emulator, client } = await start();
  await using other = await startEmulator();
  const foreign = new Client(other.connectionString);
  const theirs = await foreign.issue(await foreign.create());
  const own = await client.issue(await client.create());
  const [header = "", claims = "", signature = ""] = own.split(".");
  const raised = Buffer.from(claims, "base64url").toString().replace('"chat"', '"voip"');
  const unsigned = Buffer.from('{"alg":"none"}').toString("base64url");
  const unknown = { active: false, reason: "unknown" };
  for (const token of [
    "",
    "a.b.c",
    theirs,
    `${header}.${Buffer.from(raised).toString("base64url")}.${signature}`,
    `${unsigned}.${claims}.`,
    `${own}.x`,
    await emulator.entra.token(),
  ]) {
    expect(emulator.introspect(token)).toEqual(unknown);
  }
});

describe("rotating a key", () => {
  it("ends the tokens issued with the old one, not those of the other key, and its signatures", async () => {
    const { emulator, client } = await start();
    const secondary = new Client(emulator.secondaryConnectionString);
    const user = await client.create();
    const [token, kept] = [await client.issue(user), await secondary.issue(user)];
    now += minute;
    emulator.identities.rotateKey(emulator.identities.resource(), "primary");
    expect(emulator.introspect(token)).toMatchObject({ active: false, reason: "keyRotated", since: now });
    expect(emulator.introspect(kept)).toMatchObject({ active: true });
    await expect(client.issue(user)).rejects.toMatchObject({ statusCode: 401, code: "Denied" });
    const renewed = new Client(emulator.connectionString);
    expect(emulator.introspect(await renewed.issue(user))).toMatchObject({ active: true });
  });
});

describe("a revocation that takes its time", () => {
  it("kills what was issued before it when the delay is over, and never what was issued during the delay", async () => {
    const { emulator, client } = await start({ revocationDelayMs: 15 * minute });
    const user = await client.create();
    const before = await client.issue(user);
    await client.revoke(user);
    const after = await client.issue(user);
    now += 15 * minute - 1;
    expect(emulator.introspect(before)).toMatchObject({ active: true });
    now += 1;
    expect(emulator.introspect(before)).toMatchObject({ active: false, reason: "revoked", since: start0 });
    now += 60 * minute;
    expect(emulator.introspect(after)).toMatchObject({ active: true });
  });

  it("delays the end of a deleted identity's tokens as well, not the deletion", async () => {
    const { emulator, client } = await start({ revocationDelayMs: minute });
    const user = await client.create();
    const token = await client.issue(user);
    await client.delete(user);
    await expect(client.issue(user)).rejects.toMatchObject({ statusCode: 404 });
    expect(emulator.introspect(token)).toMatchObject({ active: true });
    now += minute;
    expect(emulator.introspect(token)).toMatchObject({ active: false, reason: "deleted" });
  });
});

it("tells before from after within one millisecond", async () => {
  const { emulator, client } = await start();
  const user = await client.create();
  const tokens: string[] = [];
  for (let round = 0; round < 5; round++) {
    tokens.push(await client.issue(user));
    await client.revoke(user);
  }
  tokens.push(await client.issue(user));
  expect(now).toBe(start0);
  expect(tokens.map((token) => emulator.introspect(token).active)).toEqual([
    false,
    false,
    false,
    false,
    false,
    true,
  ]);
});

it("agrees with the order of what was answered when 200 issuances and 20 revocations race", async () => {
  const { emulator, client } = await start();
  const user = await client.create();
  let order = 0;
  const revocations: { asked: number; answered: number }[] = [];
  const issuances: { asked: number; answered: number; token: string }[] = [];
  await Promise.all(
    Array.from({ length: 220 }, async (_, index) => {
      const asked = ++order;
      if (index % 11 === 5) {
        await client.revoke(user);
        revocations.push({ asked, answered: ++order });
      } else {
        const token = await client.issue(user);
        issuances.push({ asked, answered: ++order, token });
      }
    }),
  );
  const last = await client.issue(user);
  expect([issuances.length, revocations.length]).toEqual([200, 20]);
  expect(emulator.introspect(last).active).toBe(true);
  const finallyRevokedAt = Math.max(...revocations.map(({ answered }) => answered));
  const states = issuances.map(({ asked, answered, token }) => ({
    active: emulator.introspect(token).active,
    surelyBefore: revocations.some((revocation) => answered < revocation.asked),
    surelyAfter: asked > finallyRevokedAt,
  }));
  expect(states.filter(({ active, surelyBefore }) => active && surelyBefore)).toEqual([]);
  expect(states.filter(({ active, surelyAfter }) => !active && surelyAfter)).toEqual([]);
  // A last revocation leaves none of them alive.
  await client.revoke(user);
  expect(issuances.filter(({ token }) => emulator.introspect(token).active)).toEqual([]);
});

it("agrees with the order in waves, where before and after are known for sure", async () => {
  const { emulator, client } = await start();
  const user = await client.create();
  const waves: string[][] = [];
  for (let wave = 0; wave < 5; wave++) {
    waves.push(await Promise.all(Array.from({ length: 40 }, () => client.issue(user))));
    if (wave < 4) await Promise.all(Array.from({ length: 5 }, () => client.revoke(user)));
  }
  const active = waves.map((tokens) => tokens.filter((token) => emulator.introspect(token).active).length);
  expect(active).toEqual([0, 0, 0, 0, 40]);
});

it("ends a Teams user's token with the Entra token that it was exchanged for", async () => {
  const { emulator } = await start();
  const sdk = new CommunicationIdentityClient(emulator.connectionString, { allowInsecureConnection: true });
  const [clientId, userObjectId] = [
    "11111111-2222-4333-8444-555555555555",
    "99999999-8888-4777-8666-AAAAAAAAAAAA",
  ];
  const teamsUserAadToken = await emulator.entra.teamsToken({
    clientId,
    userObjectId,
    expiresInSeconds: 900,
  });
  const { token, expiresOn } = await sdk.getTokenForTeamsUser({
    teamsUserAadToken,
    clientId,
    userObjectId: userObjectId.toLowerCase(),
  });
  expect(expiresOn.getTime()).toBe(start0 + 15 * minute);
  expect(emulator.introspect(token)).toMatchObject({ active: true, expiresOn: start0 + 15 * minute });
  emulator.identities.rotateKey(emulator.identities.resource(), "primary");
  expect(emulator.introspect(token)).toMatchObject({ active: false, reason: "keyRotated" });
});
