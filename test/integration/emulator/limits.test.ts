/** The emulator throttles as Azure does: so many requests per resource, operation and 30 seconds. */
import { afterEach, expect, it } from "@jest/globals";
import { CommunicationIdentityClient } from "@azure/communication-identity";
import { startEmulator, type Emulator, type EmulatorOptions } from "../../../emulator/emulator";
import { limitPer30Seconds } from "../../../emulator/rate-limits";
import { keyOf, send, type Raw } from "./signed-request";

const one = {
  id: "11111111-0000-4000-8000-000000000001",
  primaryKey: keyOfByte(1),
  secondaryKey: keyOfByte(2),
};
const two = {
  id: "22222222-0000-4000-8000-000000000002",
  primaryKey: keyOfByte(3),
  secondaryKey: keyOfByte(4),
};

let now: number;
let emulator: Emulator | undefined;
afterEach(() => emulator?.[Symbol.asyncDispose]());

/** An emulator whose limits are 5 (for 1000) and 2.5 (for 500), at a time that the test moves. */
async function start(options: EmulatorOptions = {}): Promise<Emulator> {
  now = Date.UTC(2026, 10, 23);
  emulator = await startEmulator({ clock: () => now, limitScale: 0.005, resources: [one, two], ...options });
  return emulator;
}

function create(key = one.primaryKey, body?: object): Promise<Raw> {
  const { url } = emulator!;
  return send(url, { key, date: new Date(now), ...(body ? { body: JSON.stringify(body) } : {}) });
}

async function statuses(count: number, request: () => Promise<Raw>): Promise<number[]> {
  const seen: number[] = [];
  for (let round = 0; round < count; round++) seen.push((await request()).status);
  return seen;
}

it("has Azure's documented limits", () => {
  expect(limitPer30Seconds).toEqual({
    createIdentity: 1000,
    createIdentityWithToken: 1000,
    issueAccessToken: 1000,
    revokeAccessTokens: 500,
    deleteIdentity: 500,
    exchangeTeamsToken: 500,
  });
});

it("lets exactly Azure's limit through at scale 1", async () => {
  await start({ limitScale: 1 });
  const seen = [];
  for (let wave = 0; wave < 21; wave++)
    seen.push(...(await Promise.all(Array.from({ length: 50 }, () => create()))));
  expect(seen.filter(({ status }) => status === 201)).toHaveLength(1000);
  expect(seen.filter(({ status }) => status === 429)).toHaveLength(50);
});

it("refuses what is over the limit with 429, and does no work for it", async () => {
  const { counts } = await start();
  expect(await statuses(7, create)).toEqual([201, 201, 201, 201, 201, 429, 429]);
  expect(counts.snapshot().operations.createIdentity).toMatchObject({ received: 7, worked: 5, throttled: 2 });
  expect(await create()).toMatchObject({ error: { code: "TooManyRequests" } });
});

it("counts each operation apart, a create with a token too", async () => {
  await start();
  await statuses(6, create);
  const withToken = () => create(one.primaryKey, { createTokenWithScopes: ["chat"] });
  expect(await statuses(6, withToken)).toEqual([201, 201, 201, 201, 201, 429]);
});

it("counts each resource apart, and both keys of a resource together", async () => {
  await start();
  expect(await statuses(3, () => create(one.primaryKey))).toEqual([201, 201, 201]);
  expect(await statuses(3, () => create(one.secondaryKey))).toEqual([201, 201, 429]);
  expect(await statuses(5, () => create(two.primaryKey))).toEqual([201, 201, 201, 201, 201]);
});

it("does not count requests that are signed wrongly", async () => {
  await start();
  expect(await statuses(8, () => create(keyOfByte(9)))).toEqual(Array(8).fill(401));
  expect((await create()).status).toBe(201);
});

it("says when to come again, and is right to the second", async () => {
  await start();
  await create();
  now += 4_000;
  await statuses(4, create);
  now += 6_500;
  // With this refused request the window holds six; the second of them leaves it 23.5 seconds from now.
  const refused = await create();
  expect(refused.status).toBe(429);
  const wait = Number(refused.headers["retry-after"]);
  expect(wait).toBe(24);
  now += (wait - 1) * 1000;
  const early = await create();
  expect(early.status).toBe(429);
  now += Number(early.headers["retry-after"]) * 1000;
  expect((await create()).status).toBe(201);
});

it("lets requests through again when those before have left the window, one by one", async () => {
  await start();
  for (let round = 0; round < 5; round++) {
    expect((await create()).status).toBe(201);
    now += 1_000;
  }
  now += 25_000;
  expect(await statuses(1, create)).toEqual([201]);
  expect((await create()).status).toBe(429);
});

it("lets refused requests count as well, as Azure says of its limits: who hammers on stays shut out", async () => {
  await start();
  await statuses(5, create);
  for (let second = 4; second <= 60; second += 4) {
    now += 4_000;
    expect((await create()).status).toBe(429);
  }
  now += 30_000;
  expect((await create()).status).toBe(201);
});

it("leaves Retry-After out when told to", async () => {
  await start({ retryAfter: false });
  await statuses(5, create);
  const refused = await create();
  expect(refused.status).toBe(429);
  expect(refused.headers["retry-after"]).toBeUndefined();
});

it("throttles nothing when limits are off", async () => {
  await start({ limits: false });
  expect(await statuses(12, create)).toEqual(Array(12).fill(201));
});

it("makes the official SDK wait as long as it says, and only then come again", async () => {
  await start();
  const waits: number[] = [];
  const client = new CommunicationIdentityClient(emulator!.connectionString, {
    allowInsecureConnection: true,
    retryOptions: { maxRetries: 1 },
    additionalPolicies: [
      {
        position: "perRetry",
        policy: {
          name: "see Retry-After, and let the time pass instead of waiting",
          sendRequest: async (request, next) => {
            const response = await next(request);
            const seconds = response.headers.get("retry-after");
            if (seconds !== undefined) {
              waits.push(Number(seconds));
              now += Number(seconds) * 1000;
              response.headers.set("retry-after", "0");
            }
            return response;
          },
        },
      },
    ],
  });
  now = Date.now();
  await statuses(5, create);
  await client.createUser();
  expect(waits).toEqual([30]);
});

function keyOfByte(byte: number): string {
  return Buffer.alloc(64, byte).toString("base64");
}

it("names the resource's own key in its connection string", async () => {
  await start();
  expect(keyOf(emulator!.connectionString)).toBe(one.primaryKey);
});
