/** `new-key`: makes an API key and an encryption key, and says where each goes. */
import { randomBytes } from "node:crypto";
import { hashApiKey } from "../src/services/access/api-key";
import { StartupError } from "../src/main";

/** Writes new keys to stdout. The API key itself is shown this once and stored nowhere. */
export function newKey(name = "default"): void {
  if (!/^[\w.-]{1,64}$/.test(name)) {
    throw new StartupError("A key's name has 1 to 64 letters, digits, dots, dashes or underscores.");
  }
  const key = randomBytes(32).toString("base64url");
  const lines = [
    "For the caller, to be sent as the header x-api-key (shown only now):",
    `  ${key}`,
    "For the gateway, among its API_KEYS:",
    `  ${name}:${hashApiKey(key).toString("hex")}`,
    "For the gateway, as its TOKEN_ENCRYPTION_KEYS (docs/configuration.md says how to rotate them):",
    `  ${randomBytes(4).toString("hex")}:${randomBytes(32).toString("base64")}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
