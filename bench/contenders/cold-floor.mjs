/**
 * The least that a token costs which is issued once and cached, on node:http, the SDK, ioredis and node:crypto alone: a
 * lease in Redis before the call, the sealed token in Redis before the answer. No GraphQL, no limits, no audit, no retry.
 */
import { Buffer } from "node:buffer";
import { createCipheriv, createSecretKey, hash, randomBytes, timingSafeEqual } from "node:crypto";
import { createRequire } from "node:module";
import { Redis } from "ioredis";
import { serve } from "./shared/plain-server.mjs";

const require = createRequire(import.meta.url);
const { CommunicationIdentityClient } = require("@azure/communication-identity");

const leaseMs = 20_000;
const lifetimeMs = 86_400_000;
const redis = new Redis(process.env.REDIS_URL);
const client = new CommunicationIdentityClient(process.env.ACS_CONNECTION_STRING);
const [keyHash] = /[0-9a-f]{64}/.exec(process.env.API_KEYS);
const known = Buffer.from(keyHash, "hex");
const [, secret] = process.env.TOKEN_ENCRYPTION_KEYS.split(",")[0].split(":");
const key = createSecretKey(secret, "base64");
const names = { CHAT: "chat", VOIP: "voip" };

async function answer({ "x-api-key": apiKey }, text) {
  if (apiKey === undefined || !timingSafeEqual(hash("sha256", apiKey, "buffer"), known)) return undefined;
  const { identityId, scopes } = JSON.parse(text).variables;
  const place = `floor:{${hash("sha256", identityId, "base64url").slice(0, 22)}}`;
  const lease = await redis.set(`${place}:lease`, randomBytes(16).toString("base64url"), "PX", leaseMs, "NX");
  if (lease === null) return undefined;
  const asked = scopes.map((scope) => names[scope]);
  const { token, expiresOn } = await client.getToken({ communicationUserId: identityId }, asked);
  await redis.set(place, seal(token, identityId), "PX", lifetimeMs);
  const accessToken = { token, expiresOn: expiresOn.toISOString(), scopes, source: "ISSUED" };
  return JSON.stringify({ data: { issueToken: { identity: { id: identityId }, accessToken } } });
}

function seal(token, name) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(name));
  return Buffer.concat([nonce, cipher.update(token), cipher.final(), cipher.getAuthTag()]);
}

await serve(answer);
