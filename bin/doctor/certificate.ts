/** The certificate that the gateway serves: fits its key, is valid now, lasts, and is for the names it is called by. */
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { Config } from "../../src/config";
import { readTlsFiles, TlsUnusable } from "../../src/server/tls-files";
import { systemClock } from "../../src/services/clock";
import { duration, Findings, type Check } from "./finding";

const soonMs = 14 * 24 * 3_600_000;

/** The pair of TLS_CERT_FILE and TLS_KEY_FILE; no check when there is none. */
export function certificateChecks({ http }: Config): Check[] {
  const { tls, host } = http;
  if (!tls) return [];
  const run = () => {
    const findings = new Findings("certificate");
    try {
      judge(findings, new X509Certificate(readTlsFiles(tls).cert), host);
    } catch (error) {
      if (!(error instanceof TlsUnusable)) throw error;
      findings.problem("pair", error.message, "Give both files of one certificate, in PEM form.");
    }
    return Promise.resolve(findings.all);
  };
  return [{ part: "certificate", run }];
}

function judge(findings: Findings, certificate: X509Certificate, host: string): void {
  findings.ok("pair", "The certificate and its key fit together.");
  const now = systemClock.now();
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  const renew = "Put a new one in its place: the gateway reads it within five seconds.";
  if (now < from) {
    findings.problem(
      "valid",
      `The certificate is valid in ${duration(from - now)} only.`,
      "Correct the clock, or wait.",
    );
  } else if (now >= to)
    findings.problem("valid", `The certificate expired ${duration(now - to)} ago.`, renew);
  else if (to - now < soonMs) {
    findings.warning("valid", `The certificate expires in ${duration(to - now)}.`, renew);
  } else findings.ok("valid", `The certificate is valid for ${duration(to - now)} more.`);
  const names = (certificate.subjectAltName ?? "").split(", ").map((name) => name.replace(/^[^:]+:/, ""));
  if (certificate.subjectAltName === undefined) {
    findings.problem(
      "names",
      "The certificate has no subjectAltName, without which no client takes it.",
      "Have it made with the names that clients call the gateway by.",
    );
  } else if (isNamed(host) && !matches(certificate, host)) {
    findings.warning(
      "names",
      `The certificate is for ${names.join(", ")}, and not for HOST (${host}).`,
      "See that it has the name that clients call the gateway by.",
    );
  } else findings.ok("names", `The certificate is for ${names.join(", ")}.`);
}

/** An address that means all of them is no name. */
function isNamed(host: string): boolean {
  return host !== "0.0.0.0" && host !== "::";
}

function matches(certificate: X509Certificate, host: string): boolean {
  return (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined;
}
