/** A million cached tokens, put into Redis as the gateway's own commit would have left them, without asking ACS for any. */
import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { once } from "node:events";
import { bodyFor } from "./world.mjs";

const require = createRequire(import.meta.url);
const part = (path) => require(`../../dist/src/services/tokens/${path}.js`);
const { parseEncryptionKeys } = part("encryption-keys");
const { fixedKeyRing } = part("key-ring");
const { TokenCipher } = part("token-cipher");
const { encodeToken } = part("token-codec");

/** Where a seeded identity has its number, in hexadecimal. */
export const placeholder = "#seeded#";
const batch = 500;

/** The id of the identity with this number. It has as many characters as a real one. */
export function seededIdentity({ users: [{ identityId }] }, number) {
  return withNumber(identityId, number.toString(16).padStart(placeholder.length, "0"));
}

/** The body of a request for `count` seeded identities at once, with places for their numbers. */
export function seededBody({ users: [{ identityId }] }, count = 1) {
  const body = bodyFor(withNumber(identityId, placeholder));
  if (count === 1) return body;
  const { query, variables } = JSON.parse(body);
  const [, field] = /\{\s*(issueToken[\s\S]*)\}$/.exec(query);
  const numbers = Array.from({ length: count }, (_, index) => index);
  const fields = numbers.map((index) => `t${index}: ${field.replace("$identityId", `$id${index}`)}`);
  const head = numbers.map((index) => `$id${index}: ID!`).join(", ");
  return JSON.stringify({
    query: `mutation IssueTokens(${head}, $scopes: [TokenScope!]!) { ${fields.join(" ")} }`,
    variables: {
      ...Object.fromEntries(numbers.map((index) => [`id${index}`, variables.identityId])),
      scopes: variables.scopes,
    },
    operationName: "IssueTokens",
  });
}

/** Puts the tokens of the identities from one number to before another into Redis. */
export async function seed(world, from, to) {
  const { redis, encryptionKeys, field, sample } = world;
  const cipher = new TokenCipher(fixedKeyRing(parseEncryptionKeys(encryptionKeys).value));
  const expiresOn = Date.parse(sample.expiresOn);
  const plain = encodeToken({ token: sample.token, scopes: ["chat", "voip"], expiresOn });
  const keepMs = String(expiresOn - Date.now());
  const [, incarnation] = /master_replid:(\w{16})/.exec(await redis.client.info("replication"));
  const generation = incarnation + randomBytes(12).toString("base64url").slice(0, 14);
  const name = field.slice("e:".length);
  const entry = (number) => {
    const identityId = seededIdentity(world, number);
    const key = `acsgw:{${createHash("sha256").update(identityId).digest("base64url").slice(0, 22)}}`;
    const value = Buffer.concat([
      Buffer.from(String(expiresOn)),
      cipher.seal(plain, `${identityId} ${name}`),
    ]);
    return [...command("HSET", key, "g", generation, field, value), ...command("PEXPIRE", key, keepMs)];
  };
  const socket = connect(redis.port, "127.0.0.1");
  await once(socket, "connect");
  try {
    for (let next = from; next < to; next += batch) {
      const last = Math.min(to, next + batch);
      const pieces = [];
      for (let number = next; number < last; number++) pieces.push(...entry(number));
      socket.write(Buffer.concat(pieces));
      await replies(socket, 2 * (last - next));
    }
  } finally {
    socket.destroy();
  }
}

function withNumber(identityId, text) {
  return identityId.slice(0, -text.length) + text;
}

/** A command in Redis's protocol, in pieces. */
function command(...args) {
  const bytes = args.map((arg) => (typeof arg === "string" ? Buffer.from(arg) : arg));
  return [
    Buffer.from(`*${bytes.length}\r\n`),
    ...bytes.flatMap((each) => [Buffer.from(`$${each.length}\r\n`), each, Buffer.from("\r\n")]),
  ];
}

async function replies(socket, count) {
  for (let seen = 0; seen < count;) {
    const [data] = await once(socket, "data");
    const text = data.toString("latin1");
    if (text.includes("-")) throw new Error(`Redis answers ${text.slice(0, 200)}`);
    seen += text.split("\n").length - 1;
  }
}
