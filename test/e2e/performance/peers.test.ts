/** The bench compares like with like: its floor, and a peer on the gateway's own parts, answer as the gateway does. */
import { join } from "node:path";
import { expect, it } from "@jest/globals";
import { Redis } from "ioredis";
import { startEmulator } from "../../../emulator/emulator";
import { CreateIdentityDocument } from "../../../operations/generated/operations";
import { Program } from "../../support/program";
import { startGatewayProcess } from "../../support/gateway-process";
import { audience, startIssuer } from "../../support/issuer";
import { startRedis } from "../../support/redis-server";
import { encryptionKeys } from "../../support/world";

const contenders = join(__dirname, "..", "..", "..", "bench", "contenders");

it("has peers that start, and give the very answer of the gateway", async () => {
  await using redis = await startRedis();
  await using emulator = await startEmulator({ limits: false });
  await using issuer = await startIssuer();
  const environment = {
    ACS_CONNECTION_STRING: emulator.connectionString,
    REDIS_URL: redis.url,
    TOKEN_ENCRYPTION_KEYS: encryptionKeys,
    OIDC_ISSUERS: `${issuer.url} audience=${audience} jwks=${issuer.jwksUrl} identity-claim=acs`,
    EXPLORER: "false",
  };
  await using gateway = await startGatewayProcess(environment);
  const { id } = (await gateway.client.data(CreateIdentityDocument)).createIdentity.identity;
  const headers = {
    authorization: `Bearer ${await issuer.token("ada", { acs: id })}`,
    "content-type": "application/json",
  };
  const query = `mutation IssueToken($scopes: [TokenScope!]!) { issueToken(input: { scopes: $scopes }) { identity { id } accessToken { token expiresOn scopes source } } }`;
  const body = JSON.stringify({ query, variables: { scopes: ["CHAT", "VOIP"] } });
  const answerOf = async (url: string) => (await fetch(url, { method: "POST", headers, body })).text();
  expect(await answerOf(gateway.url)).toContain('"ISSUED"');
  const wanted = await answerOf(gateway.url);
  expect(wanted).toContain('"CACHE"');

  const raw = new Redis(redis.url);
  const fields = await Promise.all((await raw.keys("acsgw:{*")).map((key) => raw.hkeys(key).catch(() => [])));
  raw.disconnect();
  const field = fields.flat().find((name) => name.startsWith("e:"));
  for (const name of ["floor", "apollo"]) {
    await using peer = new Program({
      file: process.execPath,
      args: [join(contenders, `${name}.mjs`)],
      environment: { ...environment, TOKEN_FIELD: field ?? "" },
    });
    const announcement = /^\{"url":.*\}$/m;
    await peer.prints(announcement);
    const { url } = JSON.parse(announcement.exec(peer.stdout)?.[0] ?? "{}") as { url: string };
    expect(JSON.parse(await answerOf(url))).toEqual(JSON.parse(wanted));
  }
}, 60_000);
