/** `quickstart`: the whole ACS access token quickstart through GraphQL against a running gateway. */
import { processEnvironment } from "../src/config";
import { StartupError } from "../src/startup-error";
import {
  CreateIdentityAndTokenDocument,
  CreateIdentityDocument,
  DeleteIdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
  type TokenScope,
} from "../operations/generated/operations";
import { GatewayClient } from "./gateway-client";
import { askEmulator } from "./token-state";

/** The quickstart's options on the command line. */
export interface QuickstartOptions {
  readonly url: string;
  readonly apiKey?: string;
  readonly emulator?: string;
}

const spelling: Readonly<Record<TokenScope, string>> = {
  CHAT: "chat",
  CHAT_JOIN: "chat.join",
  CHAT_JOIN_LIMITED: "chat.join.limited",
  VOIP: "voip",
  VOIP_JOIN: "voip.join",
};

/** Runs every step, printing each finished one. Throws `StartupError` when a step does not do what it should. */
export async function quickstart(options: QuickstartOptions): Promise<void> {
  const environment = processEnvironment();
  const apiKey = options.apiKey ?? environment.API_KEY ?? environment.DEVELOPMENT_API_KEY;
  if (!apiKey) {
    throw new StartupError(
      "The quickstart needs an API key: the gateway prints its development key at its start. Pass it with --api-key, or set API_KEY.",
    );
  }
  const gateway = new GatewayClient(options.url, apiKey);
  const emulator = options.emulator ?? `http://127.0.0.1:${environment.EMULATOR_PORT ?? "4010"}`;

  print("Azure Communication Services - Access Tokens Quickstart, through GraphQL");

  print("\n== Create an identity ==");
  const { identity } = (await gateway.send(CreateIdentityDocument)).createIdentity;
  print(`Created an identity with ID: ${identity.id}`);

  print("\n== Issue access tokens ==");
  const voip = await issue(gateway, identity.id, "VOIP");
  await issue(gateway, identity.id, "CHAT");

  print("\n== Create an identity and issue a token in the same request ==");
  const both = (await gateway.send(CreateIdentityAndTokenDocument, { scopes: ["VOIP"] })).createIdentity;
  print(`Created an identity with ID: ${both.identity.id}`);
  if (both.accessToken) printToken("VOIP", both.identity.id, both.accessToken);

  print("\n== Refresh an access token ==");
  const again = await issue(gateway, identity.id, "VOIP");
  expect(
    again.source === "CACHE" && again.token === voip.token,
    "the second answer did not come from the cache",
  );
  print("The gateway answered from its cache: Azure was not asked again.");

  print("\n== Revoke access tokens ==");
  const { effectiveBy } = (await gateway.send(RevokeTokensDocument, { identityId: identity.id }))
    .revokeTokens;
  print(`Successfully revoked all access tokens for identity with ID: ${identity.id}`);
  const state = await askEmulator(emulator, voip.token);
  if (state === undefined) print(`Azure refuses the old tokens everywhere by ${effectiveBy}.`);
  else {
    expect(state === "dead", "the old token is still valid at the service");
    print("The service no longer accepts the old token.");
  }
  const renewed = await issue(gateway, identity.id, "VOIP");
  expect(renewed.source === "ISSUED" && renewed.token !== voip.token, "the next answer was not a new token");
  print("The next answer is a new token.");

  print("\n== Delete the identities ==");
  for (const { id } of [identity, both.identity]) {
    await gateway.send(DeleteIdentityDocument, { identityId: id });
    print(`Successfully deleted the identity with ID: ${id}`);
  }
}

async function issue(gateway: GatewayClient, identityId: string, scope: TokenScope) {
  const { accessToken } = (await gateway.send(IssueTokenDocument, { identityId, scopes: [scope] }))
    .issueToken;
  printToken(scope, identityId, accessToken);
  return accessToken;
}

function printToken(
  scope: TokenScope,
  identityId: string,
  token: { token: string; expiresOn: string },
): void {
  print(`Issued an access token with '${spelling[scope]}' scope for identity with ID: ${identityId}:`);
  print(token.token);
  print(`It expires on ${token.expiresOn}.`);
}

function expect(true_: boolean, otherwise: string): void {
  if (!true_) throw new StartupError(`The quickstart failed: ${otherwise}.`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
