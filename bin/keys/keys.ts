/** `keys`: makes, lists and rotates the keys of callers and those that seal the cache. */
import { createHash } from "node:crypto";
import { processEnvironment } from "../../src/config";
import { StartupError } from "../../src/startup-error";
import type { ApiKey } from "../../src/services/access/api-key";
import { systemClock } from "../../src/services/clock";
import type { Meaning } from "../../src/services/watched-file";
import type { EncryptionKey } from "../../src/services/tokens/encryption-keys";
import { apiKeyFile, makeApiKey, rotated, withEntry, type Rotated } from "./api-key-entries";
import { encryptionKeyFile, makeEncryptionKey, turn, type Turned } from "./encryption-ring";
import { changeKeyFile, readKeyFile } from "./key-file";
import type { Step } from "./step";

/** Options of `keys new-api-key`. */
export interface NewApiKeyOptions {
  readonly rights: string;
  readonly scopes?: string;
  readonly expires?: string;
  readonly requestsPerMinute?: string;
  readonly issuancesPerMinute?: string;
  readonly file?: string;
}

/** Makes an API key. It is shown this once and stored nowhere. Throws `StartupError`. */
export async function newApiKey(name: string, { file, ...allowed }: NewApiKeyOptions): Promise<void> {
  const { key, entry } = makeApiKey(name, allowed);
  if (file !== undefined) {
    await changeKeyFile(file, apiKeyFile, (now) => withEntry(now?.text ?? "", entry));
  }
  say([
    "For the caller, to be sent as the header x-api-key (shown only now):",
    `  ${key}`,
    file === undefined
      ? "For the gateway, among its API_KEYS (docs/access.md says what the rights allow):"
      : `For the gateway, written to ${file}, which running gateways read within five seconds:`,
    `  ${entry}`,
  ]);
}

/** Options of `keys new-encryption-key`. */
export interface NewEncryptionKeyOptions {
  readonly file?: string;
}

/** Makes an encryption key, or the file of a first one. Throws `StartupError` when the file has one already. */
export async function newEncryptionKey({ file }: NewEncryptionKeyOptions): Promise<void> {
  const { id, entry } = makeEncryptionKey();
  if (file === undefined) {
    say([
      "For the gateway, as its TOKEN_ENCRYPTION_KEYS (docs/configuration.md says how to rotate them):",
      `  ${entry}`,
    ]);
    return;
  }
  await changeKeyFile(file, encryptionKeyFile, (now) => {
    if (now) {
      throw new StartupError(
        `${file} has keys already, and one more at its end would not seal: keys rotate-encryption --file ${file}`,
      );
    }
    return `${entry}\n`;
  });
  say([`Made ${file} with key ${id}, for TOKEN_ENCRYPTION_KEYS_FILE.`]);
}

/** Options of `keys rotate-encryption`. */
export interface RotateEncryptionOptions {
  readonly file: string;
  readonly step?: Step;
  /** Milliseconds. */
  readonly settle: number;
  readonly force: boolean;
}

/** Takes one step of a rotation. Throws `StartupError` when the step that was asked for is not to be taken now. */
export async function rotateEncryption(options: RotateEncryptionOptions): Promise<void> {
  const { file, step, settle: settleMs, force } = options;
  let turned: Turned | undefined;
  await changeKeyFile(file, encryptionKeyFile, (now) => {
    if (!now) throw new StartupError(`${file} has no key yet: keys new-encryption-key --file ${file}`);
    turned = turn(now, step, { settleMs, force, now: systemClock.now() });
    return turned.text;
  });
  say(turned?.told ?? []);
}

/** Options of `keys rotate-api-key`. */
export interface RotateApiKeyOptions {
  readonly file: string;
  /** Milliseconds. */
  readonly overlap: number;
  readonly expires?: string;
}

/** Gives a caller a new key beside the old one, which ends after the overlap. Throws `StartupError`. */
export async function rotateApiKey(name: string, options: RotateApiKeyOptions): Promise<void> {
  const { file, overlap: overlapMs, expires } = options;
  let done: Rotated | undefined;
  await changeKeyFile(file, apiKeyFile, (now) => {
    if (!now) throw new StartupError(`${file} has no key yet: keys new-api-key ${name} --file ${file}`);
    done = rotated(now.text, name, { overlapMs, expires, now: systemClock.now() });
    return done.text;
  });
  if (!done) return;
  const { made, until, old, dropped } = done;
  say([
    "For the caller, to be sent as the header x-api-key (shown only now):",
    `  ${made.key}`,
    `For the gateway, written to ${file}:`,
    `  ${made.entry}`,
    `The old ${old === 1 ? "key is" : `${old} keys are`} good until ${until} at the latest: the caller has the new one by then.`,
    ...(dropped === 0 ? [] : [`Entries of that name that had expired and are gone: ${dropped}.`]),
  ]);
}

/** Options of `keys list`. */
export interface ListKeysOptions {
  readonly file?: string;
  readonly json?: boolean;
}

/** Lists the keys of a file, or of the environment, without anything that would let somebody in. */
export async function listKeys({ file, json }: ListKeysOptions): Promise<void> {
  const listed = file === undefined ? await keysOfEnvironment() : [await keysOfFile(file)];
  if (json) {
    process.stdout.write(`${JSON.stringify(listed, null, 2)}\n`);
    return;
  }
  say(listed.flatMap(({ source, kind, keys }) => [`${source} (${kind})`, ...table(keys)]));
}

interface Listed {
  readonly source: string;
  readonly kind: "API keys" | "encryption keys";
  readonly keys: readonly Readonly<Record<string, string>>[];
}

async function keysOfFile(file: string, source = file): Promise<Listed> {
  const asRing = await readKeyFile(file, encryptionKeyFile).catch((error: unknown) => error);
  if (asRing instanceof Error || asRing === undefined) {
    const { keys } = await readKeyFile(file, apiKeyFile);
    return { source, kind: "API keys", keys: keys.map(apiKeyRow) };
  }
  const { keys } = asRing as { readonly keys: readonly EncryptionKey[] };
  return { source, kind: "encryption keys", keys: keys.map(encryptionKeyRow) };
}

async function keysOfEnvironment(): Promise<Listed[]> {
  const environment = processEnvironment();
  const listed: Listed[] = [];
  for (const name of ["API_KEYS_FILE", "TOKEN_ENCRYPTION_KEYS_FILE"]) {
    const file = environment[name];
    if (file) listed.push(await keysOfFile(file, `${name}=${file}`));
  }
  const { API_KEYS: apiKeys, TOKEN_ENCRYPTION_KEYS: ring } = environment;
  if (apiKeys) {
    const keys = inVariable("API_KEYS", apiKeyFile.parse(apiKeys));
    listed.push({ source: "API_KEYS", kind: "API keys", keys: keys.map(apiKeyRow) });
  }
  if (ring) {
    const keys = inVariable("TOKEN_ENCRYPTION_KEYS", encryptionKeyFile.parse(ring));
    listed.push({
      source: "TOKEN_ENCRYPTION_KEYS",
      kind: "encryption keys",
      keys: keys.map(encryptionKeyRow),
    });
  }
  if (listed.length > 0) return listed;
  throw new StartupError(
    "Which keys? Give --file, or set API_KEYS, API_KEYS_FILE, TOKEN_ENCRYPTION_KEYS or TOKEN_ENCRYPTION_KEYS_FILE.",
  );
}

function inVariable<T>(name: string, meaning: Meaning<T>): T {
  if (meaning.problem === undefined) return meaning.value;
  throw new StartupError(`${name} ${meaning.problem}.`);
}

function apiKeyRow({ name, hash, rights, scopes, expiresAt, requestsPerMinute, issuancesPerMinute }: ApiKey) {
  const expired = expiresAt !== undefined && expiresAt <= systemClock.now();
  return {
    name,
    fingerprint: hash.toString("hex").slice(0, 8),
    rights: rights.join("+"),
    scopes: scopes.join("+"),
    expires:
      expiresAt === undefined ? "never" : `${new Date(expiresAt).toISOString()}${expired ? " (over)" : ""}`,
    "requests per minute": requestsPerMinute === undefined ? "as all" : String(requestsPerMinute),
    "issuances per minute": issuancesPerMinute === undefined ? "as all" : String(issuancesPerMinute),
  };
}

function encryptionKeyRow({ id, secret }: EncryptionKey, index: number) {
  const fingerprint = createHash("sha256").update(secret.export()).digest("hex").slice(0, 8);
  return { id, fingerprint, use: index === 0 ? "seals and opens" : "opens" };
}

function table(rows: readonly Readonly<Record<string, string>>[]): string[] {
  const names = Object.keys(rows[0] ?? {});
  const all = [Object.fromEntries(names.map((name) => [name, name])), ...rows];
  const width = (name: string) => Math.max(...all.map((row) => row[name]?.length ?? 0));
  return all.map((row) =>
    `  ${names.map((name) => (row[name] ?? "").padEnd(width(name))).join("  ")}`.trimEnd(),
  );
}

function say(lines: readonly string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}
