/** `new-key`: makes an API key and an encryption key, and says where each goes. */
import { randomBytes } from "node:crypto";
import { hashApiKey, parseApiKeys } from "../src/services/access/api-key";
import { StartupError } from "../src/main";

/** What the key is to be allowed, in the words of an entry of `API_KEYS`. */
export interface NewKeyOptions {
  readonly rights: string;
  readonly scopes?: string;
  readonly expires?: string;
}

/** Writes new keys to stdout. The API key itself is shown this once and stored nowhere. Throws `StartupError`. */
export function newKey(
  name = "default",
  { rights, scopes, expires }: NewKeyOptions = { rights: "all" },
): void {
  if (!/^[\w.-]{1,64}$/.test(name)) {
    throw new StartupError("A key's name has 1 to 64 letters, digits, dots, dashes or underscores.");
  }
  const key = randomBytes(32).toString("base64url");
  const entry = [
    `${name}:${hashApiKey(key).toString("hex")}`,
    `rights=${rights}`,
    ...(scopes === undefined ? [] : [`scopes=${scopes}`]),
    ...(expires === undefined ? [] : [`expires=${expires}`]),
  ].join(" ");
  const { problem } = parseApiKeys(entry);
  if (problem !== undefined) throw new StartupError(`An API key ${problem}.`);
  const lines = [
    "For the caller, to be sent as the header x-api-key (shown only now):",
    `  ${key}`,
    "For the gateway, among its API_KEYS (docs/access.md says what the rights allow):",
    `  ${entry}`,
    "For the gateway, as its TOKEN_ENCRYPTION_KEYS (docs/configuration.md says how to rotate them):",
    `  ${randomBytes(4).toString("hex")}:${randomBytes(32).toString("base64")}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
