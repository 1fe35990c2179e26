/** Issuers: whether their keys can be fetched, and are of kinds that the gateway accepts. */
import type { Config } from "../../src/config";
import { probeIssuer, type IssuerSight } from "../../src/services/access/issuer-probe";
import type { OidcIssuer } from "../../src/services/access/oidc-issuer";
import { systemClock } from "../../src/services/clock";
import { connectionTrouble, Findings, judgeClock, type Check } from "./finding";

/** Each issuer once, however many entries it has. */
export function issuerChecks({ access }: Config): Check[] {
  return access.issuers
    .filter(
      (issuer, index, all) =>
        all.findIndex((other) => other.issuer === issuer.issuer && other.jwksUri === issuer.jwksUri) ===
        index,
    )
    .map((issuer) => ({
      part: "issuer",
      run: async (signal) => {
        const findings = new Findings("issuer");
        judge(findings, await probeIssuer(issuer, systemClock, signal), issuer);
        return findings.all;
      },
    }));
}

function judge(findings: Findings, seen: IssuerSight, { issuer, algorithms }: OidcIssuer): void {
  if (seen.failed) {
    const { at, url, reason } = seen.failed;
    findings.problem(at, ...trouble(reason, url, issuer));
  } else if (seen.algorithms.length === 0) {
    findings.problem(
      "keys",
      `None of the ${seen.keys} keys of ${issuer} signs as the gateway accepts (${algorithms.join(", ")}).`,
      "Have the issuer sign with one of them, or correct algorithms= in OIDC_ISSUERS.",
    );
  } else findings.ok("keys", `${issuer} has ${seen.keys} keys, for ${seen.algorithms.join(", ")}.`);
  judgeClock(findings, {
    whose: `${issuer}'s`,
    // The header has whole seconds, and an answer may come from a cache in between.
    skewMs: seen.skewMs,
    warnMs: 5_000,
    problemMs: 120_000,
    why: "tokens are allowed five seconds",
  });
}

function trouble(reason: string, url: string, issuer: string): readonly [string, string] {
  switch (reason) {
    case "OTHER_ISSUER":
      return [
        `${url} is the document of another issuer than ${issuer}.`,
        "Write the issuer in OIDC_ISSUERS as its document does, to the last slash.",
      ];
    case "NO_JWKS_URI":
      return [`${url} names no https address of keys.`, "Give jwks= in OIDC_ISSUERS."];
    case "NO_KEYS":
      return [
        `${url} has no public key that can be read.`,
        "See the issuer's configuration, or correct jwks=.",
      ];
    case "NOT_JSON":
      return [`${url} answers something that is no JSON object.`, "Correct the issuer's address, or jwks=."];
    default:
      return /^\d{3}$/.test(reason)
        ? [`${url} answers with status ${reason}.`, "Correct the issuer's address in OIDC_ISSUERS, or jwks=."]
        : connectionTrouble(reason, url);
  }
}
