/** The forms of the values that variables have: each parser takes a text, or says what it must be. */
import { isIP } from "node:net";
import { resolve } from "node:path";
import { z } from "zod";
import { parseApiKeys } from "../services/access/api-key";
import { parseOidcIssuers } from "../services/access/oidc-issuer";
import { parseRedisUrl, redisUrlForms } from "../services/redis/redis-address";
import { parseEncryptionKeys } from "../services/tokens/encryption-keys";
import { readMeaning, type Meaning } from "../services/watched-file";
import { parseConnectionStrings, parseEndpoints } from "./acs-resources";

export const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a whole number from ${min} to ${max}`);

export const yesOrNo = z
  .enum(["true", "false"], "must be true or false")
  .transform((value) => value === "true");

/** A URL of one of these protocols; `example` shows what one looks like. */
export const url = (protocols: readonly string[], example: string) =>
  z
    .string()
    .refine(
      (value) =>
        URL.canParse(value) && protocols.includes(new URL(value).protocol) && new URL(value).host !== "",
      `must look like ${example}`,
    );

export const redisUrl = z.string().transform((value, context) => {
  const address = parseRedisUrl(value);
  if (address) return address;
  // The value may hold a password, so the message must not repeat any of it.
  context.addIssue(`must look like ${redisUrlForms}`);
  return z.NEVER;
});

export const encryptionKeys = z.string().transform((value, context) => {
  const { value: keys, problem } = parseEncryptionKeys(value);
  if (keys) return keys;
  context.addIssue(problem);
  return z.NEVER;
});

export const encryptionKeysFile = z.string().transform((value, context) => {
  const path = resolve(value);
  const { value: keys, problem } = readMeaning(path, parseEncryptionKeys);
  if (keys) return { path, keys };
  context.addIssue(problem);
  return z.NEVER;
});

/** What a parser makes of the text; its problem goes on after the variable's name. */
const through = <T>(parse: (text: string) => Meaning<T>) =>
  z.string().transform((text, context): T => {
    const meaning = parse(text);
    if (meaning.problem === undefined) return meaning.value;
    context.addIssue(meaning.problem);
    return z.NEVER;
  });

export const apiKeys = through(parseApiKeys);

export const apiKeysFile = z.string().transform((value, context) => {
  const path = resolve(value);
  const { value: keys, problem } = readMeaning(path, parseApiKeys);
  if (problem === undefined) return { path, keys };
  context.addIssue(problem);
  return z.NEVER;
});

export const oidcIssuers = through(parseOidcIssuers);

export const connectionStrings = through(parseConnectionStrings);

export const acsEndpoints = through(parseEndpoints);

export const databaseUrl = z.string().refine((value) => {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname, pathname } = new URL(value);
  return (protocol === "postgres:" || protocol === "postgresql:") && (hostname !== "" || pathname.length > 1);
  // The value may hold a password, so the message must not repeat any of it.
}, "must look like postgres://user:password@host:5432/database");

export const path = z.string().transform((value) => resolve(value));

/** Addresses, networks and the names that stand for networks, as `proxy-addr` knows them. */
export const networks = z.string().transform((value, context) => {
  const found = list(value);
  if (found.length > 0 && found.every(isNetwork)) return found;
  context.addIssue(
    "must be addresses or networks such as 10.0.0.0/8, or loopback, linklocal, uniquelocal, separated by commas",
  );
  return z.NEVER;
});

const auditPlaces = ["stdout", "stderr", "off"] as const;

/** A word alone is one of those three, however it is written, or a mistake: no file is called `none`. */
export const auditLog = z.string().transform((value, context) => {
  const place = auditPlaces.find((each) => each === value.toLowerCase());
  if (place !== undefined) return place;
  if (/[./\\]/.test(value)) return { file: resolve(value) };
  context.addIssue("must be stdout, stderr, off or the path of a file, such as ./audit.log");
  return z.NEVER;
});

export const origins = z.string().transform((value, context) => {
  if (value.trim() === "*") return "*" as const;
  const found = list(value);
  if (found.some((origin) => !URL.canParse(origin) || new URL(origin).origin !== origin)) {
    context.addIssue(
      "must be origins such as https://app.example.com separated by commas, without a path, or *",
    );
    return z.NEVER;
  }
  return found;
});

function isNetwork(text: string): boolean {
  if (["loopback", "linklocal", "uniquelocal"].includes(text)) return true;
  const [, address = "", bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIP(address);
  return family !== 0 && (bits === undefined || Number(bits) <= (family === 4 ? 32 : 128));
}

/**
 * OpenTelemetry's lists: `name=value` separated by commas, percent-encoded. The values may be credentials, so the message
 * must not repeat any of it.
 */
export const nameValues = (isName: RegExp, problem: string) =>
  z.string().transform((text, context): Readonly<Record<string, string>> => {
    const found: Record<string, string> = {};
    for (const item of list(text)) {
      const [, name = "", encoded = ""] = /^([^=]+)=(.*)$/.exec(item) ?? [];
      const value = decoded(encoded.trim());
      if (!isName.test(name.trim()) || value === undefined) {
        context.addIssue(problem);
        return z.NEVER;
      }
      found[name.trim()] = value;
    }
    return found;
  });

function decoded(text: string): string | undefined {
  try {
    const value = decodeURIComponent(text);
    // eslint-disable-next-line no-control-regex -- what no header may hold
    return /[\u0000-\u001f\u007f]/.test(value) ? undefined : value;
  } catch {
    return undefined;
  }
}

/** A number from 0 to 1. */
export const ratio = z
  .string()
  .refine((value) => /^(0|1|[01]?\.\d+)$/.test(value) && Number(value) <= 1, "must be a number from 0 to 1")
  .transform(Number);

function list(value: string): string[] {
  return value
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}
