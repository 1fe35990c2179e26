/** What Redis holds: nothing that a reader of it could use, and nothing that a writer to it could make the gateway serve. */
import { createSecretKey, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { Redis } from "ioredis";
import {
  CreateIdentityAndTokenDocument,
  CreateIdentityDocument,
  DeleteIdentityDocument,
  IdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import { fixedKeyRing } from "../../../src/services/tokens/key-ring";
import { TokenCipher } from "../../../src/services/tokens/token-cipher";
import { encodeToken } from "../../../src/services/tokens/token-codec";
import { developmentKey, encryptionKeys, startWorld, type World } from "../../support/world";

let world: World;
let redis: Redis;
beforeAll(async () => {
  world = await startWorld({ redis: true, gateways: 2 });
  redis = new Redis(world.redis?.url ?? "");
});
afterAll(async () => {
  redis.disconnect();
  await world[Symbol.asyncDispose]();
});

const clientOf = (gateway: number) => world.gateways[gateway]?.client ?? world.client;

async function issue(identityId: string, scopes: ("CHAT" | "VOIP")[] = ["CHAT"], gateway = 1) {
  const { issueToken } = await clientOf(gateway).data(IssueTokenDocument, { identityId, scopes });
  return issueToken.accessToken;
}

const isTokens = (name: string) => /^acsgw:\{[\w-]{22}\}$/.test(name);

/** A new identity with a cached token, and the name of its key in Redis. */
async function newIdentity() {
  const before = new Set(await redis.keys("*"));
  const { createIdentity } = await world.client.data(CreateIdentityAndTokenDocument, { scopes: ["CHAT"] });
  const [name] = (await redis.keys("*")).filter((each) => isTokens(each) && !before.has(each));
  return { id: createIdentity.identity.id, token: createIdentity.accessToken?.token ?? "", name: name ?? "" };
}

/** The names of the fields with sealed tokens. */
async function sealedFields(name: string): Promise<string[]> {
  return (await redis.hkeys(name)).filter((field) => field.startsWith("e:"));
}

/** Name and content of every key: as its commands show it, and as `DUMP` does. */
async function dump(): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for await (const names of redis.scanStream() as AsyncIterable<string[]>) {
    for (const name of names) {
      const content = [Buffer.from(name), await redis.dumpBuffer(name)];
      switch (await redis.type(name)) {
        case "hash":
          for (const [field, value] of Object.entries(await redis.hgetallBuffer(name))) {
            content.push(Buffer.from(field), value);
          }
          break;
        case "zset":
          content.push(...(await redis.zrangeBuffer(name, "0", "-1")));
          break;
        case "list":
          content.push(...(await redis.lrangeBuffer(name, 0, -1)));
          break;
        case "set":
          content.push(...(await redis.smembersBuffer(name)));
          break;
        case "string":
          content.push((await redis.getBuffer(name)) ?? Buffer.alloc(0));
          break;
        default:
          throw new Error(`${name} has a type that this test cannot read.`);
      }
      found.set(name, Buffer.concat(content));
    }
  }
  return found;
}

/** Pieces of 12 bytes: whatever shows 23 bytes in a row of the text or of what it encodes has one of them. */
function piecesOf(token: string): Buffer[] {
  const parts = token.split(".");
  const texts = [
    ...parts.map((part) => Buffer.from(part)),
    ...parts.map((part) => Buffer.from(part, "base64url")),
  ];
  return texts.flatMap((text) =>
    Array.from({ length: Math.floor(text.length / 12) }, (_, at) => text.subarray(at * 12, at * 12 + 12)),
  );
}

describe("what Redis holds", () => {
  it("shows no token, no part of one, no identity, no key, and all of it expires by itself", async () => {
    const people = [await newIdentity(), await newIdentity(), await newIdentity(), await newIdentity()];
    const [kept, revoked, deleted, again] = people as [Person, Person, Person, Person];
    const tokens = people.map(({ token }) => token);
    for (const { id } of people) tokens.push((await issue(id, ["VOIP"])).token);
    await world.client.data(RevokeTokensDocument, { identityId: revoked.id });
    await world.client.data(DeleteIdentityDocument, { identityId: deleted.id });
    await clientOf(1).data(RevokeTokensDocument, { identityId: again.id });
    tokens.push((await issue(again.id)).token);
    const { createIdentity } = await clientOf(1).data(CreateIdentityDocument);
    const ids = [...people.map(({ id }) => id), createIdentity.identity.id];

    const held = await dump();
    expect([...held.keys()].filter(isTokens)).toEqual(expect.arrayContaining([kept.name, again.name]));
    const all = Buffer.concat([...held.values()]);
    const secret = Buffer.from(encryptionKeys.split(":")[1] ?? "", "base64");
    const accessKey = /accesskey=(.+)/.exec(world.emulator.connectionString)?.[1] ?? "";
    const hidden = [
      ...tokens.flatMap(piecesOf),
      ...ids.map((id) => id.slice(id.lastIndexOf("_") + 1)),
      world.emulator.connectionString,
      accessKey,
      Buffer.from(accessKey, "base64"),
      secret,
      encryptionKeys,
      developmentKey,
    ];
    expect(hidden.length).toBeGreaterThan(tokens.length * 100);
    for (const each of hidden) {
      const found = all.indexOf(each);
      expect(found === -1 ? "" : `${each.toString()} at ${found}`).toBe("");
    }
    const lives = await Promise.all(
      [...held.keys()].map(async (name) => [name, await redis.pttl(name)] as const),
    );
    expect(lives.filter(([, ms]) => ms <= 0 || ms > 24 * 3_600_000)).toEqual([]);
  });
});

type Person = Awaited<ReturnType<typeof newIdentity>>;

/** A deadline as the store writes it, of which an hour is left. */
const deadline = Buffer.from(String(Date.now() + 3_600_000));
const foreign = (id: string) =>
  new TokenCipher(fixedKeyRing([{ id, secret: createSecretKey(randomBytes(32)) }]));
const otherToken = encodeToken({ token: "aGVhZGVy.cGF5bG9hZA.c2ln", scopes: ["chat"], expiresOn: 4e12 });

describe("a value that somebody changed", () => {
  it.each<[string, (sealed: Buffer, person: Person, field: string) => Buffer]>([
    ["cut by a byte", (sealed) => sealed.subarray(0, -1)],
    ["cut to its deadline", (sealed) => sealed.subarray(0, 13)],
    ["cut within its deadline", (sealed) => sealed.subarray(0, 7)],
    ["emptied", () => Buffer.alloc(0)],
    ["replaced by random bytes", () => randomBytes(700)],
    [
      "replaced by random bytes behind its deadline",
      (sealed) => Buffer.concat([sealed.subarray(0, 13), randomBytes(700)]),
    ],
    ["given no number for a deadline", (sealed) => Buffer.concat([Buffer.from("nan and others"), sealed])],
    [
      "given an endless deadline",
      (sealed) => Buffer.concat([Buffer.from("inf          "), sealed.subarray(13)]),
    ],
    [
      "sealed by another key of the same id",
      (_, { id }, field) => Buffer.concat([deadline, foreign("first").seal(otherToken, `${id} ${field}`)]),
    ],
    [
      "sealed by a key that is not in the ring",
      (_, { id }, field) => Buffer.concat([deadline, foreign("mine").seal(otherToken, `${id} ${field}`)]),
    ],
    ["replaced by a token in clear", () => Buffer.concat([deadline, otherToken])],
  ])("%s is a miss, and the caller gets a good token of his own", async (_how, change) => {
    const person = await newIdentity();
    const [field] = await sealedFields(person.name);
    const sealed = await redis.hgetBuffer(person.name, field ?? "");
    await redis.hset(
      person.name,
      field ?? "",
      change(sealed ?? Buffer.alloc(0), person, field?.slice(2) ?? ""),
    );
    await expectsMiss(person);
  });

  it("given a later deadline is a miss once the token is too old", async () => {
    const person = await newIdentity();
    const [field] = await sealedFields(person.name);
    const sealed = (await redis.hgetBuffer(person.name, field ?? "")) ?? Buffer.alloc(0);
    const endless = Buffer.concat([Buffer.from("9999999999999"), sealed.subarray(13)]);
    await redis.hset(person.name, field ?? "", endless);
    expect(await issue(person.id)).toMatchObject({ source: "CACHE", token: person.token });
    world.clock.advanceBy({ minutes: 23 * 60 + 50 });
    await expectsIssuance(person);
  });

  it("moved to another identity is a miss for both", async () => {
    const [one, other] = [await newIdentity(), await newIdentity()];
    const [field] = await sealedFields(one.name);
    const [ofOne, ofOther] = await Promise.all(
      [one, other].map(({ name }) => redis.hgetBuffer(name, field ?? "")),
    );
    await redis.hset(one.name, field ?? "", ofOther ?? "");
    await redis.hset(other.name, field ?? "", ofOne ?? "");
    await expectsMiss(one);
    await expectsMiss(other);
  });

  it("moved to other scopes of its identity is a miss for both", async () => {
    const person = await newIdentity();
    const voip = (await issue(person.id, ["VOIP"])).token;
    const fields = await sealedFields(person.name);
    expect(fields).toHaveLength(2);
    const [one, other] = fields as [string, string];
    const [ofOne, ofOther] = await redis.hmgetBuffer(person.name, one, other);
    await redis.hset(person.name, one, ofOther ?? "", other, ofOne ?? "");
    await expectsMiss(person);
    const again = await issue(person.id, ["VOIP"]);
    expect(again).toMatchObject({ source: "ISSUED", scopes: ["VOIP"] });
    expect(again.token).not.toBe(voip);
    expect(world.emulator.introspect(again.token)).toMatchObject({
      active: true,
      identityId: person.id,
      scopes: ["voip"],
    });
  });

  it("under a made-up field name is not told of", async () => {
    const person = await newIdentity();
    const [field] = await sealedFields(person.name);
    const sealed = (await redis.hgetBuffer(person.name, field ?? "")) ?? "";
    await redis.hset(person.name, "e:x", sealed, "e:31.60.ffffffff", sealed, "e:..", sealed);
    const { identity } = await clientOf(1).data(IdentityDocument, { identityId: person.id });
    expect(identity?.cachedTokens).toHaveLength(1);
  });
});

describe("a key that somebody gave another type", () => {
  it.each<[string, (name: string) => Promise<unknown>]>([
    ["string", (name) => redis.set(name, "text")],
    ["list", (name) => redis.rpush(name, "text")],
    ["set", (name) => redis.sadd(name, "text")],
    ["zset", (name) => redis.zadd(name, 1, "text")],
    ["stream", (name) => redis.xadd(name, "*", "a", "b")],
  ])("(%s) is dropped, and its identity is cached again", async (_type, write) => {
    const person = await newIdentity();
    await redis.del(person.name);
    await write(person.name);
    await expectsMiss(person);
    expect(await redis.type(person.name)).toBe("hash");
    await redis.del(person.name);
    await write(person.name);
    await world.client.data(RevokeTokensDocument, { identityId: person.id });
    await expectsMiss(person);
  });
});

/** Nothing is told to be cached, and {@link expectsIssuance}. */
async function expectsMiss(person: Person): Promise<void> {
  const { identity } = await clientOf(0).data(IdentityDocument, { identityId: person.id });
  expect(identity?.cachedTokens.filter(({ scopes }) => scopes.includes("CHAT"))).toEqual([]);
  await expectsIssuance(person);
}

/** The next token is new, good and the person's own; the one after it is that very token again, and nothing failed. */
async function expectsIssuance(person: Person): Promise<void> {
  const told = world.events.lines.length;
  const issued = await issue(person.id);
  expect(issued.source).toBe("ISSUED");
  expect(issued.token).not.toBe(person.token);
  expect(world.emulator.introspect(issued.token)).toMatchObject({
    active: true,
    identityId: person.id,
    scopes: ["chat"],
  });
  expect(await issue(person.id, ["CHAT"], 0)).toMatchObject({ source: "CACHE", token: issued.token });
  const failures = world.events.lines.slice(told).filter((line) => /unavailable|internal error/.test(line));
  expect(failures).toEqual([]);
}
