/** Azure: whether the resource takes the credential, found out without leaving anything behind. */
import { probeAcs, type AcsSight } from "../../src/services/azure/acs-probe";
import { defaultAzureCredential } from "../../src/services/azure/entra-credential";
import { systemClock } from "../../src/services/clock";
import { connectionTrouble, Findings, judgeClock, type Check } from "./finding";

/** One ACS resource as configured. */
export interface Resource {
  readonly endpoint: string;
  /** Undefined: Entra. */
  readonly accessKey: string | undefined;
  readonly resourceId: string | undefined;
  readonly throughProxy: boolean;
}

/** One resource. */
export function azureCheck(resource: Resource): Check {
  const { accessKey } = resource;
  const run = async (signal: AbortSignal) => {
    const credential = accessKey === undefined ? await defaultAzureCredential() : { accessKey };
    const findings = new Findings("azure");
    judge(findings, await probeAcs({ ...resource, credential }, systemClock, signal), resource);
    return findings.all;
  };
  return { part: "azure", run };
}

/** Nothing is to be asked: `start` brings an emulator along. */
export function emulatorCheck(port: number): Check {
  const findings = new Findings("azure");
  findings.ok("credential", `No resource is configured: start brings the emulator along, on port ${port}.`);
  return { part: "azure", run: () => Promise.resolve(findings.all) };
}

/** ACS's own limit is not published; App Configuration, with the same signatures, has this one. */
const refusedSkewMs = 15 * 60_000;

function judge(findings: Findings, seen: AcsSight, { endpoint, accessKey, throughProxy }: Resource): void {
  const where = new URL(endpoint).host;
  const status = seen.status === undefined ? "" : ` (${[seen.status, seen.code].filter(Boolean).join(" ")})`;
  const skewed = Math.abs(seen.skewMs ?? 0) > refusedSkewMs;
  const withKey = accessKey !== undefined;
  switch (seen.outcome) {
    case "accepted":
      findings.ok("credential", `${where} takes the ${withKey ? "access key" : "Entra identity"}.`);
      break;
    case "denied":
      if (skewed && withKey) {
        findings.problem(
          "credential",
          `${where} refuses the signature${status}, which this machine's wrong clock explains.`,
          "Set the clock by NTP, then look again.",
        );
      } else if (withKey) {
        findings.problem(
          "credential",
          `${where} refuses the access key${status}.`,
          "Copy the connection string anew from the resource's Keys page: the key was regenerated, or is another resource's.",
        );
      } else {
        findings.problem(
          "credential",
          `${where} refuses the Entra identity${status}.`,
          "Give it a role on the resource that allows issuing tokens, such as Communication and Email Service Owner; roles take minutes to arrive.",
        );
      }
      break;
    case "forbidden":
      findings.problem(
        "credential",
        `${where} knows who asks, and forbids it${status}.`,
        withKey
          ? "See that access keys and this network are allowed on the resource."
          : "Give the identity a role on the resource that allows issuing tokens, such as Communication and Email Service Owner.",
      );
      break;
    case "noToken":
      findings.problem(
        "credential",
        `Entra gives this machine no token (${seen.code ?? "no reason"}).`,
        "Set AZURE_CLIENT_ID and what belongs to it, assign a managed identity, or sign in with the Azure CLI.",
      );
      break;
    case "throttled":
      findings.warning(
        "credential",
        `${where} is limiting its callers just now${status}.`,
        "Look again in half a minute.",
      );
      break;
    case "unanswered":
      findings.problem("credential", ...unanswered(seen.code ?? "UNKNOWN", where, throughProxy));
      break;
    case "unexpected":
      if (seen.status === 407) {
        findings.problem(
          "credential",
          "The proxy of HTTPS_PROXY asks for a user and password (407).",
          "Put them into HTTPS_PROXY.",
        );
      } else if ((seen.status ?? 0) >= 500) {
        findings.warning(
          "credential",
          `${where} is not well${status}.`,
          "Look again later, and at Azure's status page.",
        );
      } else {
        findings.problem(
          "credential",
          `${where} gives an answer that ACS does not${status}.`,
          "See that the endpoint is a Communication Services resource.",
        );
      }
  }
  judgeClock(findings, {
    whose: "Azure's",
    skewMs: seen.skewMs,
    warnMs: 30_000,
    problemMs: 5 * 60_000,
    why: "signatures with a date far off are refused, and tokens seem older or younger than they are",
  });
}

function unanswered(code: string, where: string, throughProxy: boolean): readonly [string, string] {
  const [seen, advice] = connectionTrouble(code, where);
  if (!throughProxy) return [seen, advice];
  return [
    `${where} cannot be reached through the proxy of HTTPS_PROXY (${code}).`,
    "See that the proxy runs, resolves and lets this machine through to Azure, or name Azure in NO_PROXY.",
  ];
}
