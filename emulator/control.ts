/** The emulator's own routes, outside ACS's paths: introspection, keys to verify with, counts, faults, tokens of the stand-in. */
import { read } from "./access-token";
import type { Counts } from "./counts";
import type { Fault } from "./fault";
import type { Faults } from "./faults";
import type { Identities } from "./identities";
import type { JwtKey } from "./jwt";
import type { EntraStandIn } from "./entra-stand-in";
import type { LiveSettings } from "./live-settings";
import type { RateLimits } from "./rate-limits";

/** Whether a token is good, and if not, why and since when (RFC 7662 in spirit). Times in milliseconds. */
export type Introspection =
  | {
      readonly active: boolean;
      readonly reason?: "expired" | "revoked" | "deleted" | "keyRotated";
      /** When it died. */
      readonly since?: number;
      readonly identityId: string;
      readonly scopes: readonly string[];
      readonly issuedAt: number;
      readonly expiresOn: number;
    }
  | { readonly active: false; readonly reason: "unknown" };

/** What the routes work on. */
export interface ControlParts {
  readonly key: JwtKey;
  readonly identities: Identities;
  readonly faults: Faults;
  readonly counts: Counts;
  readonly entra: EntraStandIn;
  readonly limits: RateLimits;
  readonly settings: LiveSettings;
}

type Body = Readonly<Record<string, unknown>>;

/** The path below which everything is the emulator's own. */
export const controlPath = "/_emulator/";

/** What the control routes do, for tests in the same process too. */
export class Control {
  constructor(private readonly parts: ControlParts) {}

  introspect(token: string): Introspection {
    const { key, identities } = this.parts;
    const found = read(key, token);
    if (!found) return { active: false, reason: "unknown" };
    const { identityId, scopes, expiresOn, origin } = found;
    const facts = { identityId, scopes, issuedAt: origin.issuedAt, expiresOn };
    const state = identities.stateOf(found);
    if (state.active) return { active: true, ...facts };
    return state.reason === "unknown"
      ? { active: false, reason: "unknown" }
      : { active: false, reason: state.reason, since: state.at, ...facts };
  }

  /** Back to an emulator without a past: identities, counts, faults, rate windows and required claims are gone. */
  reset(): void {
    const { identities, counts, faults, limits, entra } = this.parts;
    for (const part of [identities, counts, limits]) part.reset();
    faults.clear();
    entra.requiredClaims = undefined;
  }

  /**
   * The answer to a request below {@link controlPath}; undefined when there is no such route. Rejects with `RangeError`
   * when the body is not what the route takes.
   */
  async answer(method: string, path: string, body: Body): Promise<object | undefined> {
    const { key, identities, faults, counts, entra, settings } = this.parts;
    switch (`${method} ${path.slice(controlPath.length)}`) {
      case "GET health":
        return { status: "ok" };
      case "GET jwks":
        return { keys: [key.jwk] };
      case "POST introspect":
        return this.introspect(text(body, "token"));
      case "GET identities":
        return { identities: identities.list() };
      case "GET counts":
        return counts.snapshot();
      case "DELETE counts":
        counts.reset();
        return {};
      case "GET faults":
        return { faults: faults.list() };
      case "POST faults":
        faults.add(body as unknown as Fault);
        return { faults: faults.list() };
      case "DELETE faults":
        faults.clear();
        return { faults: [] };
      case "POST rotate-key":
        return identities.rotateKey(identities.resource(optionalText(body, "resourceId")), whichKey(body));
      case "POST entra-token":
        return { access_token: await entra.token(applicationIn(body)) };
      case "POST teams-token":
        return {
          access_token: await entra.teamsToken({
            clientId: text(body, "clientId"),
            userObjectId: text(body, "userObjectId"),
            ...lifetimeIn(body),
          }),
        };
      case "POST required-claims":
        entra.requiredClaims = optionalText(body, "claims");
        return {};
      case "GET settings":
        return settings.values();
      case "PATCH settings":
        settings.change(body);
        return settings.values();
      case "POST reset":
        this.reset();
        return {};
      default:
        return undefined;
    }
  }
}

/**
 * Whether a control request may come from here. The routes ask for no key, so a web page must not reach them: it is
 * kept out by a Host that is not the machine itself (DNS rebinding) and by a body that needs no preflight.
 */
export function mayControl(
  method: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): boolean {
  const host = String(headers.host ?? "").replace(/:\d+$/, "");
  const local = host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
  const foreign = headers.origin !== undefined || headers["sec-fetch-site"] === "cross-site";
  const json = String(headers["content-type"] ?? "").startsWith("application/json");
  return local && !foreign && (method === "GET" || method === "DELETE" || json);
}

function optionalText(body: Body, name: string): string | undefined {
  const value = body[name];
  if (value === undefined || typeof value === "string") return value;
  throw new RangeError(`${name} is a string.`);
}

function text(body: Body, name: string): string {
  const value = optionalText(body, name);
  if (value === undefined) throw new RangeError(`${name} is missing.`);
  return value;
}

function whichKey({ key = "primary" }: Body): "primary" | "secondary" {
  if (key !== "primary" && key !== "secondary") throw new RangeError("key is primary or secondary.");
  return key;
}

/** A negative lifetime makes a token that has expired. */
function lifetimeIn({ expiresInSeconds }: Body): { expiresInSeconds?: number } {
  if (expiresInSeconds === undefined) return {};
  if (typeof expiresInSeconds !== "number") throw new RangeError("expiresInSeconds is a number.");
  return { expiresInSeconds };
}

function applicationIn(body: Body) {
  const [audience, claims] = [optionalText(body, "audience"), optionalText(body, "claims")];
  return {
    ...(audience === undefined ? {} : { audience }),
    ...(claims === undefined ? {} : { claims }),
    ...lifetimeIn(body),
  };
}
