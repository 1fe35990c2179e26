/** The text of a file of API keys, changed entry by entry, so that comments and everything else stay as they are. */
import { randomBytes } from "node:crypto";
import { hashApiKey, parseApiKeys, type ApiKey } from "../../src/services/access/api-key";
import { StartupError } from "../../src/startup-error";
import type { KeyFileKind } from "./key-file";

/** How the gateway reads such a file. */
export const apiKeyFile: KeyFileKind<readonly ApiKey[]> = { what: "API keys", parse: parseApiKeys };

/** What a key is to be allowed, in the words of an entry. */
export interface Allowed {
  readonly rights: string;
  readonly scopes?: string | undefined;
  readonly expires?: string | undefined;
  readonly requestsPerMinute?: string | undefined;
  readonly issuancesPerMinute?: string | undefined;
}

/** A new key, which is stored nowhere, and the entry that lets it in. */
export interface NewApiKey {
  readonly key: string;
  readonly entry: string;
}

/** Makes a key. Throws `StartupError` when the gateway would not take its entry. */
export function makeApiKey(name: string, allowed: Allowed): NewApiKey {
  if (!/^[\w.-]{1,64}$/.test(name)) {
    throw new StartupError("A key's name has 1 to 64 letters, digits, dots, dashes or underscores.");
  }
  const key = randomBytes(32).toString("base64url");
  const entry = [
    `${name}:${hashApiKey(key).toString("hex")}`,
    `rights=${allowed.rights}`,
    ...field("scopes", allowed.scopes),
    ...field("expires", allowed.expires),
    ...field("requests-per-minute", allowed.requestsPerMinute),
    ...field("issuances-per-minute", allowed.issuancesPerMinute),
  ].join(" ");
  const { problem } = parseApiKeys(entry);
  if (problem !== undefined) throw new StartupError(`An API key ${problem}.`);
  return { key, entry };
}

function field(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`${name}=${value}`];
}

/** The text with one entry more, on a line of its own at the end. */
export function withEntry(text: string, entry: string): string {
  return `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${entry}\n`;
}

/** What a rotation did. */
export interface Rotated {
  readonly text: string;
  readonly made: NewApiKey;
  /** Until when the old keys are good, and how many there are. */
  readonly until: string;
  readonly old: number;
  /** Entries of that name that had expired, and are gone. */
  readonly dropped: number;
}

/**
 * The text in which `name` has a new key with the rights of its newest one, and its old ones end after `overlapMs` at
 * the latest. Throws `StartupError` when no key of that name is good.
 */
export function rotated(
  text: string,
  name: string,
  { overlapMs, expires, now }: { overlapMs: number; expires?: string | undefined; now: number },
): Rotated {
  const end = now + overlapMs;
  // To the minute, as people write it; never earlier than promised.
  const until = new Date(Math.ceil(end / 60_000) * 60_000).toISOString().replace(":00.000Z", "Z");
  let newest: string | undefined;
  let [old, dropped] = [0, 0];
  const changed = mapEntries(text, (entry) => {
    const [key] = parseApiKeys(entry).value ?? [];
    if (key?.name !== name) return entry;
    if (key.expiresAt !== undefined && key.expiresAt <= now) {
      dropped += 1;
      return undefined;
    }
    newest = entry;
    old += 1;
    if (key.expiresAt !== undefined && key.expiresAt <= end) return entry;
    return `${entry.replace(/\sexpires=\S+/, "")} expires=${until}`;
  });
  if (newest === undefined) {
    throw new StartupError(
      `There is no key called ${name} that has not expired: keys new-api-key makes one.`,
    );
  }
  const value = (field: string) => new RegExp(`\\s${field}=(\\S+)`).exec(newest ?? "")?.[1];
  const made = makeApiKey(name, {
    rights: values(newest, "rights") ?? "",
    scopes: values(newest, "scopes"),
    requestsPerMinute: value("requests-per-minute"),
    issuancesPerMinute: value("issuances-per-minute"),
    expires,
  });
  return { text: withEntry(changed, made.entry), made, until, old, dropped };
}

/** A list field may be given several times. */
function values(entry: string, field: string): string | undefined {
  const found = [...entry.matchAll(new RegExp(`\\s${field}=(\\S+)`, "g"))].map(([, value = ""]) => value);
  return found.length === 0 ? undefined : found.join("+");
}

/** Changes entries where they stand; undefined takes one out, and its line if nothing else is on it. */
function mapEntries(text: string, change: (entry: string) => string | undefined): string {
  return text
    .split("\n")
    .flatMap((line) => {
      const end = line.search(/(?:^|\s)#|\r$/);
      const body = end < 0 ? line : line.slice(0, end).trimEnd();
      const comment = line.slice(body.length);
      if (body.trim() === "") return [line];
      const items = body.split(",").flatMap((item) => {
        const entry = item.trim();
        if (entry === "") return [item];
        const changed = change(entry);
        return changed === undefined ? [] : [item.replace(entry, () => changed)];
      });
      if (items.every((item) => item.trim() === ""))
        return comment.trim() === "" ? [] : [comment.trimStart()];
      return [items.join(",") + comment];
    })
    .join("\n");
}
