/**
 * A real OpenID Connect server (oidc-provider) as a process: `<port>`, 0 for a free one. Prints its port; takes commands as
 * JSON lines on stdin and answers each with one: `{ mint: { subject, claims } }`, `{ rotate: true }`.
 */
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const audience = "api://gateway";
const scope = "openid identity:create token:issue:any";
let claimsOf = new Map();

function newKey() {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), alg: "ES256", use: "sig" };
}

function provider(issuer, keys) {
  const made = new Provider(issuer, {
    jwks: { keys },
    cookies: { keys: [randomUUID()] },
    scopes: scope.split(" "),
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    clients: [
      {
        client_id: "service",
        client_secret: "a secret of the service",
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      },
      {
        client_id: "app",
        client_secret: "a secret of the app",
        redirect_uris: ["https://app.example/callback"],
      },
    ],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: () => ({
          scope,
          audience,
          accessTokenFormat: "jwt",
          accessTokenTTL: 600,
          jwt: { sign: { alg: "ES256" } },
        }),
      },
    },
    extraTokenClaims: (_context, token) => claimsOf.get(token.accountId),
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  });
  return made;
}

let handler = (_request, response) => response.writeHead(503).end();
const server = createServer((request, response) => handler(request, response));
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  let current;
  const use = (keys) => {
    current = provider(issuer, keys);
    handler = current.callback();
  };
  use([newKey()]);
  const mint = async ({ subject, claims }) => {
    claimsOf.set(subject, claims);
    const client = await current.Client.find("app");
    const grant = new current.Grant({ accountId: subject, clientId: "app" });
    grant.addResourceScope(audience, "openid");
    const token = new current.AccessToken({
      accountId: subject,
      client,
      grantId: await grant.save(),
      gty: "authorization_code",
      scope: "openid",
    });
    token.resourceServer = new current.ResourceServer(audience, {
      scope,
      audience,
      accessTokenFormat: "jwt",
      accessTokenTTL: 600,
      jwt: { sign: { alg: "ES256" } },
    });
    return token.save();
  };
  createInterface({ input: process.stdin }).on("line", async (line) => {
    const command = JSON.parse(line);
    let answer;
    if (command.mint) answer = await mint(command.mint).catch((error) => ({ failed: String(error.stack) }));
    if (command.rotate) use([newKey()]);
    process.stdout.write(`${JSON.stringify({ answer: answer ?? null })}\n`);
  });
  process.stdout.write(`${JSON.stringify({ answer: server.address().port })}\n`);
});
