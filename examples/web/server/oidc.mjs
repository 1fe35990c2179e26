/** A local OpenID Connect server for the example, in the place of your own issuer. Development only. */
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";
import { people, policy, signInPage, signInStyle, signOutPage } from "./sign-in.mjs";

/** Who the access tokens are for: the gateway. */
export const audience = "api://acs-token-gateway";
/** The frontend, a public client: it can keep no secret, and proves with PKCE that it began the sign-in. */
export const clientId = "acs-example";

/** Listens on a port of 127.0.0.1 (0: a free one). `serve(app)` begins to answer, once the app's origin is known. */
export async function startOidc(port) {
  let answer = (_request, response) => response.writeHead(503).end();
  const server = createServer((request, response) => answer(request, response));
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const issuer = `http://127.0.0.1:${server.address().port}`;
  return {
    issuer,
    serve: (app) => {
      answer = handlerFor(issuer, app);
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function handlerFor(issuer, app) {
  const provider = new Provider(issuer, configuration(app));
  const callback = provider.callback();
  return (request, response) => {
    const path = request.url.split("?")[0];
    if (path === "/sign-in.css") {
      response.writeHead(200, { "content-type": "text/css" }).end(signInStyle);
    } else if (path.startsWith("/interaction/")) {
      interact(provider, request, response, app).catch((error) => {
        response.writeHead(400, { "content-type": "text/plain" }).end(String(error.message));
      });
    } else callback(request, response);
  };
}

/** Shows the choice of people, and finishes the sign-in with the chosen one: no consent is asked for. */
async function interact(provider, request, response, app) {
  const { params, session, grantId } = await provider.interactionDetails(request, response);
  const result = {};
  let accountId = session?.accountId;
  if (!accountId || params.prompt === "login") {
    if (request.method !== "POST") {
      response.writeHead(200, {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": policy(app),
        "cache-control": "no-store",
      });
      response.end(signInPage(request.url));
      return;
    }
    accountId = await chosenPerson(request);
    result.login = { accountId, remember: false };
  }
  const grant =
    (grantId && (await provider.Grant.find(grantId))) || new provider.Grant({ accountId, clientId });
  grant.addOIDCScope("openid profile access");
  grant.addResourceScope(audience, "access");
  result.consent = { grantId: await grant.save() };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

async function chosenPerson(request) {
  let body = "";
  for await (const chunk of request) if ((body += chunk).length > 1_000) break;
  const person = new URLSearchParams(body).get("person");
  if (people.some(({ id }) => id === person)) return person;
  throw new Error("There is no such person.");
}

function configuration(app) {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), alg: "ES256", use: "sig" };
  const find = (id) => people.find((person) => person.id === id);
  return {
    jwks: { keys: [key] },
    cookies: { keys: [randomUUID()] },
    scopes: ["openid", "profile", "access"],
    claims: { openid: ["sub"], profile: ["name"] },
    conformIdTokenClaims: false,
    clients: [
      {
        client_id: clientId,
        token_endpoint_auth_method: "none",
        grant_types: ["authorization_code", "refresh_token"],
        redirect_uris: [`${app}/`],
        post_logout_redirect_uris: [`${app}/`],
        id_token_signed_response_alg: "ES256",
      },
    ],
    // Access tokens live for ten minutes; the page has them renewed.
    issueRefreshToken: () => true,
    clientBasedCORS: (_context, origin) => origin === app,
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { logoutSource: confirmSignOut },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: "access",
          audience,
          accessTokenFormat: "jwt",
          accessTokenTTL: 600,
          jwt: { sign: { alg: "ES256" } },
        }),
      },
    },
    ttl: { Session: 3_600, Grant: 3_600, Interaction: 600, IdToken: 600, RefreshToken: 3_600 },
    extraTokenClaims: (_context, { accountId }) => ({ role: find(accountId)?.role }),
    findAccount: (_context, id) =>
      find(id) && { accountId: id, claims: () => ({ sub: id, name: find(id).name }) },
  };
}

/** The library wants it confirmed, in case another site has sent the user here. */
function confirmSignOut(context, form) {
  context.type = "html";
  context.body = signOutPage(
    form.replace("</form>", '<button name="logout" value="yes">Sign out</button></form>'),
  );
}
