/** The emulator's own routes, outside ACS's paths: introspection, keys to verify with, counts, faults, tokens of the stand-in. */
import { read } from "./access-token";
import type { Counts } from "./counts";
import type { Fault, Faults } from "./faults";
import type { Identities } from "./identities";
import type { JwtKey } from "./jwt";
import type { EntraStandIn, TeamsUser } from "./entra-stand-in";

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
}

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

  /** The answer to a request below {@link controlPath}; undefined when there is no such route. */
  async answer(
    method: string,
    path: string,
    body: Readonly<Record<string, unknown>>,
  ): Promise<object | undefined> {
    const { key, identities, faults, counts, entra } = this.parts;
    switch (`${method} ${path.slice(controlPath.length)}`) {
      case "GET health":
        return { status: "ok" };
      case "GET jwks":
        return { keys: [key.jwk] };
      case "POST introspect":
        return this.introspect(String(body.token));
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
        return identities.rotateKey(
          identities.resource(body.resourceId as string | undefined),
          body.key === "secondary" ? "secondary" : "primary",
        );
      case "POST entra-token":
        return { access_token: await entra.token(body) };
      case "POST teams-token":
        return { access_token: await entra.teamsToken(body as unknown as TeamsUser) };
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
  return local && !foreign && (method !== "POST" || json);
}
