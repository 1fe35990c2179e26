/** What is wrong with a request is found, and told in few words, in time that grows as the request does: whoever sends it. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { startEmulator, type Emulator } from "../../../emulator/emulator";
import { hashApiKey } from "../../../src/services/access/api-key";
import { MeasuredProcess } from "../../support/measured-process";
import { developmentKey } from "../../support/world";
import { startFuzzIssuer, type FuzzIssuer } from "./fuzz-issuer";
import { heavyRequests, type Sender } from "./heavy-requests";

/** Processor time for each 100 KB of a body; smaller ones have as much. */
const mostMs = 50;
/** The machine may have been busy, or the code not compiled yet: the quickest of so many counts. */
const attempts = 8;

const file = join(__dirname, "..", "..", "..", "dist", "bin", "acs-token-gateway.js");
const most = "10000000";
const common = {
  AUDIT_LOG: "stdout",
  ADDRESS_REQUESTS_PER_MINUTE: most,
  CALLER_REQUESTS_PER_MINUTE: most,
  ADDRESS_ISSUANCES_PER_MINUTE: most,
  CALLER_ISSUANCES_PER_MINUTE: most,
};

type Headers = Readonly<Record<string, string>>;

let gateway: MeasuredProcess;
let longest = { ms: 0, name: "" };
afterAll(() => {
  if (process.env.FUZZ_COUNT !== undefined)
    process.stdout.write(`\nThe heaviest request took ${longest.ms} ms of a processor: ${longest.name}.\n`);
});

const ask = async (headers: Headers, body: string) => {
  const before = await gateway.used();
  const response = await fetch(gateway.url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
  const answer = await response.text();
  const after = await gateway.used();
  return { status: response.status, answer, ms: (after.cpuMicroseconds - before.cpuMicroseconds) / 1_000 };
};

/** What is wrong with how a request was answered. */
async function faultsOf(name: string, headers: Headers, body: string): Promise<string[]> {
  const bound = mostMs * Math.max(1, body.length / 100_000);
  let { status, answer, ms } = await ask(headers, body);
  for (let left = attempts; left > 1 && ms > bound; left--) {
    const again = await ask(headers, body);
    ({ status, answer, ms } = { ...again, ms: Math.min(ms, again.ms) });
  }
  if (ms > longest.ms) longest = { ms, name };
  const { errors = [] } = JSON.parse(answer) as { errors?: { message: string }[] };
  return [
    ...(ms > bound ? [`${name}: ${ms} ms`] : []),
    ...(errors.length > 20 ? [`${name}: ${errors.length} errors`] : []),
    ...errors.filter(({ message }) => message.length > 500).map(() => `${name}: a long message`),
    ...(Buffer.byteLength(answer) > 16_384 && errors.length > 0 ? [`${name}: ${answer.length} bytes`] : []),
    ...(status >= 500 || answer.includes("INTERNAL") ? [`${name}: ${status} ${answer.slice(0, 200)}`] : []),
  ];
}

describe("heavy requests", () => {
  let emulator: Emulator;
  let issuer: FuzzIssuer;
  let headers: Readonly<Record<Sender, Headers>>;
  beforeAll(async () => {
    [emulator, issuer] = await Promise.all([startEmulator({ limits: false }), startFuzzIssuer()]);
    gateway = await MeasuredProcess.start(file, ["start"], {
      ...common,
      ACS_CONNECTION_STRING: emulator.connectionString,
      DEVELOPMENT_API_KEY: developmentKey,
      OIDC_ISSUERS: issuer.setting,
    });
    const identityId = `8:acs:${emulator.resourceId}_00000000-0000-4000-8000-000000000000`;
    const authorization = `Bearer ${await issuer.tokenOf(identityId)}`;
    headers = { nobody: {}, user: { authorization }, service: { "x-api-key": developmentKey } };
  }, 60_000);
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await emulator[Symbol.asyncDispose]();
    await issuer[Symbol.asyncDispose]();
  });

  it("cost little, and are answered in few words", async () => {
    const faults: string[] = [];
    for (const { name, from, body } of heavyRequests) {
      for (const sender of from) {
        faults.push(...(await faultsOf(`${name}, from ${sender}`, headers[sender], body)));
      }
    }
    expect(faults).toEqual([]);
  }, 120_000);

  it("are refused to callers without a credential before their variables are looked at", async () => {
    const refused = async (query: string, variables: object) =>
      JSON.parse((await ask({}, JSON.stringify({ query, variables }))).answer) as object;
    const query = "mutation($i:IssueTokenInput!){issueToken(input:$i){identity{id}}}";
    const entities = "query($r:[_Any!]!){_entities(representations:$r){__typename}}";
    const answers = [
      await refused(query, { i: { scopes: ["CHAT"] } }),
      await refused(query, { i: { scopes: ["NONE"], more: 1 } }),
      await refused(query, {}),
      await refused(`{ __typename ${entities.slice(entities.indexOf("{") + 1)}`.replace("$r", "[]"), {}),
      await refused(entities, { r: 1 }),
      await refused("{ ...f } fragment f on Query { viewer { name } }", {}),
    ];
    for (const answer of answers) {
      expect(answer).toEqual({
        errors: [{ message: expect.stringContaining("x-api-key"), extensions: { code: "UNAUTHENTICATED" } }],
      });
    }
    expect(await refused("{ __typename }", {})).toEqual({ data: { __typename: "Query" } });
  });

  it("are refused in the same words when the operation has been compiled", async () => {
    const query = "{ viewer { name } }";
    const before = (await ask({}, JSON.stringify({ query }))).answer;
    for (let time = 0; time < 3; time++) await ask(headers.service, JSON.stringify({ query }));
    expect((await ask({}, JSON.stringify({ query }))).answer).toBe(before);
  });
});

describe("heavy requests in production", () => {
  const key = "a-key-of-a-production-service";
  const accesskey = Buffer.alloc(64, 7).toString("base64");
  beforeAll(async () => {
    gateway = await MeasuredProcess.start(file, ["start"], {
      ...common,
      NODE_ENV: "production",
      ACS_CONNECTION_STRING: `endpoint=https://127.0.0.1:9/;accesskey=${accesskey}`,
      API_KEYS: `backend:${hashApiKey(key).toString("hex")} rights=all`,
    });
  }, 60_000);
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
  });

  it("cost as little, without names of the schema that are near to misspelt ones", async () => {
    const faults: string[] = [];
    for (const { name, body } of heavyRequests) {
      if (!/a scope of|document|that there are not|has not/.test(name)) continue;
      faults.push(...(await faultsOf(name, { "x-api-key": key }, body)));
    }
    expect(faults).toEqual([]);
  }, 120_000);
});
