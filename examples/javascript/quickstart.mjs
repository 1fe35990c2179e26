/** The ACS access token quickstart through the gateway, in JavaScript with nothing but Node.js 20 or newer. */
import { setTimeout as sleep } from "node:timers/promises";

/** What to do about an error, by its `extensions.code`. All codes: README.md, "Errors". */
const ADVICE = {
  BAD_USER_INPUT: "Correct the argument; sending the same again never helps.",
  UNAUTHENTICATED: "Send a valid credential: npm start prints the key, set API_KEY to it.",
  FORBIDDEN: "This caller has not the right; docs/access.md tells who may do what.",
  IDENTITY_NOT_FOUND: "Create an identity and use its id.",
  RATE_LIMITED: "A limit is reached; try again later.",
  UPSTREAM_REJECTED: "Azure refuses the gateway itself; its operator must act.",
  UPSTREAM_UNAVAILABLE: "Azure does not answer; try again later.",
  INTERNAL_SERVER_ERROR: "Tell the gateway's operator the errorId; the log has the cause under it.",
};

/** The gateway did not do what it was asked. `code` is stable: decide by it, never by the message. */
export class GatewayError extends Error {
  constructor(message, { code, extensions = {}, cause } = {}) {
    super(message, { cause });
    this.name = "GatewayError";
    this.code = code;
    this.extensions = extensions;
  }

  /** The error that the gateway answered with, and what to do about it. */
  static of({ message, extensions = {} }) {
    const { code = "an error", argument, errorId, retryAfterSeconds } = extensions;
    const text = [`The gateway answers ${code}: ${message}`];
    if (argument) text.push(`(argument: ${argument})`);
    if (errorId) text.push(`(errorId: ${errorId})`);
    if (retryAfterSeconds) text.push(`(wait ${retryAfterSeconds} s)`);
    text.push(ADVICE[code] ?? 'README.md, "Errors", tells what to do.');
    return new GatewayError(text.join(" "), { code, extensions });
  }
}

/** The gateway's operations. Copy this class and the one above into your own backend. */
export class GatewayClient {
  /** The gateway itself gives up after 30 seconds. */
  static timeoutMs = 35_000;
  /** How often an operation is sent at most, and the longest wait in between. */
  static attempts = 3;
  static longestWaitSeconds = 30;

  #url;
  #credential;

  /** `credential` is a header: `{ "x-api-key": … }` for a service, `{ authorization: "Bearer …" }` for a user. */
  constructor(url, credential) {
    this.#url = url;
    this.#credential = credential;
  }

  /** `input`: `{}`, or `{ scopes, expiresInMinutes }` for a token in the same call. Never repeated: see `#send`. */
  async createIdentity(input = {}) {
    const query = `mutation ($input: CreateIdentityInput!) {
      createIdentity(input: $input) { identity { id } accessToken { token expiresOn source } }
    }`;
    return (await this.#send(query, { input }, { repeatable: false })).createIdentity;
  }

  /** `input`: `{ identityId, scopes, expiresInMinutes, forceRefresh }`; a user leaves `identityId` out. */
  async issueToken(input) {
    const query = `mutation ($input: IssueTokenInput!) {
      issueToken(input: $input) { identity { id } accessToken { token expiresOn source } }
    }`;
    return (await this.#send(query, { input })).issueToken;
  }

  async revokeTokens(identityId) {
    const query = `mutation ($input: RevokeTokensInput!) { revokeTokens(input: $input) { effectiveBy } }`;
    return (await this.#send(query, { input: { identityId } })).revokeTokens;
  }

  async deleteIdentity(identityId) {
    const query = `mutation ($input: DeleteIdentityInput!) { deleteIdentity(input: $input) { deletedId } }`;
    return (await this.#send(query, { input: { identityId } })).deleteIdentity;
  }

  /** `input`: `{ teamsUserAadToken, clientId, userObjectId }`. */
  async exchangeTeamsToken(input) {
    const query = `mutation ($input: ExchangeTeamsTokenInput!) {
      exchangeTeamsToken(input: $input) { accessToken { token expiresOn source } }
    }`;
    return (await this.#send(query, { input })).exchangeTeamsToken;
  }

  /**
   * The operation's data. The caller's values go into `variables`, never into the query's text.
   * An operation that is `repeatable` (done twice it does no harm) is sent again when the gateway says that
   * waiting helps. Creating an identity is not: its answer may be lost after the identity was made.
   */
  async #send(query, variables, { repeatable = true } = {}) {
    for (let attempt = 1; ; attempt++) {
      const { data, errors } = await this.#post({ query, variables });
      if (!errors?.length) return data;
      const error = GatewayError.of(errors[0]);
      const waiting = error.code === "RATE_LIMITED" || error.code === "UPSTREAM_UNAVAILABLE";
      const seconds = error.extensions.retryAfterSeconds ?? 2 ** (attempt - 1);
      const { attempts, longestWaitSeconds } = GatewayClient;
      if (!waiting || !repeatable || attempt === attempts || seconds > longestWaitSeconds) throw error;
      await sleep(seconds * 1000);
    }
  }

  /** One request. An answer with errors has a status such as 401 or 429, and is GraphQL all the same. */
  async #post(body) {
    let status, text;
    try {
      const response = await fetch(this.#url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/graphql-response+json, application/json;q=0.9",
          ...this.#credential,
        },
        body: JSON.stringify(body),
        redirect: "manual", // the credential goes to this address and to no other
        signal: AbortSignal.timeout(GatewayClient.timeoutMs),
      });
      status = response.status;
      text = await response.text();
    } catch (cause) {
      const message =
        cause.name === "TimeoutError"
          ? `The gateway at ${this.#url} does not answer in time.`
          : `No gateway answers at ${this.#url}. Start one with: npm start`;
      throw new GatewayError(message, { cause });
    }
    try {
      const answer = JSON.parse(text);
      if (answer.data || answer.errors?.length) return answer;
    } catch {
      // Not JSON: an error page of a proxy, or another server.
    }
    throw new GatewayError(
      `What answers at ${this.#url} is not the gateway (HTTP ${status}). Is this its GraphQL endpoint?`,
    );
  }
}

const scopes = ["CHAT", "VOIP"];

/** As a service: the whole quickstart. */
async function runAsService(gateway) {
  step("1. Create an identity");
  const { identity } = await gateway.createIdentity();
  show(identity.id);

  step("2. Issue a token (chat, voip)");
  showToken((await gateway.issueToken({ identityId: identity.id, scopes })).accessToken);

  step("3. Issue it once more: it comes from the cache");
  showToken((await gateway.issueToken({ identityId: identity.id, scopes })).accessToken);

  step("4. Create an identity and a token in one call (60 minutes)");
  const both = await gateway.createIdentity({ scopes, expiresInMinutes: 60 });
  show(both.identity.id);
  showToken(both.accessToken);

  step("5. Refresh: a new token although the cached one is good");
  showToken((await gateway.issueToken({ identityId: identity.id, scopes, forceRefresh: true })).accessToken);

  step("6. Revoke all tokens");
  const { effectiveBy } = await gateway.revokeTokens(identity.id);
  show(`The gateway serves none of them any more; Azure refuses them by ${effectiveBy}`);

  step("7. Delete the identities");
  for (const { id } of [identity, both.identity]) {
    show(`${(await gateway.deleteIdentity(id)).deletedId} is deleted`);
  }

  step("8. Exchange a Teams user's token");
  const { TEAMS_USER_TOKEN, TEAMS_CLIENT_ID, TEAMS_USER_ID } = process.env;
  if (TEAMS_USER_TOKEN && TEAMS_CLIENT_ID && TEAMS_USER_ID) {
    const exchanged = await gateway.exchangeTeamsToken({
      teamsUserAadToken: TEAMS_USER_TOKEN,
      clientId: TEAMS_CLIENT_ID,
      userObjectId: TEAMS_USER_ID,
    });
    showToken(exchanged.accessToken);
  } else {
    show("Left out: TEAMS_USER_TOKEN, TEAMS_CLIENT_ID and TEAMS_USER_ID are not set");
  }
}

/** As a user: his identity is made on first use and stays his, so he names none. */
async function runAsUser(gateway) {
  step("1. Issue a token for your own identity (chat, voip)");
  const { identity, accessToken } = await gateway.issueToken({ scopes });
  show(identity.id);
  showToken(accessToken);

  step("2. Issue it once more: it comes from the cache");
  showToken((await gateway.issueToken({ scopes })).accessToken);
}

function step(title) {
  console.log(`\n${title}`);
}

function show(line) {
  console.log(`   ${line}`);
}

/** Never the whole token: whoever has it chats and calls as this identity. */
function showToken({ token, expiresOn, source }) {
  show(`${token.slice(0, 8)}... ${source}, expires on ${expiresOn}`);
}

async function main() {
  const { GATEWAY_URL: url = "http://127.0.0.1:4000/graphql", API_KEY, ACCESS_TOKEN } = process.env;
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new GatewayError(`GATEWAY_URL is not a URL: ${url}`);
  }
  // Printable ASCII, as a header can hold it.
  if (!/^[!-~]+$/.test(API_KEY || ACCESS_TOKEN || "")) {
    throw new GatewayError(
      "Set API_KEY to the key that npm start has printed, or ACCESS_TOKEN to the access token of a user.",
    );
  }
  console.log(`ACS access tokens through the gateway at ${url}`);
  if (API_KEY) await runAsService(new GatewayClient(url, { "x-api-key": API_KEY }));
  else await runAsUser(new GatewayClient(url, { authorization: `Bearer ${ACCESS_TOKEN}` }));
}

try {
  await main();
} catch (error) {
  if (!(error instanceof GatewayError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
