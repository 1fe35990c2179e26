/** What the doctor says: a finding has a check, a judgement, a sentence of what was seen, and one of what to do. */

/** How a finding is judged. */
export type Status = "ok" | "warning" | "problem";

/** One finding. No secret is in it: sentences are our own, and what they quote are names, numbers and short codes. */
export interface Finding {
  /** What was looked at: `redis`, `azure`. */
  readonly part: string;
  /** Names the check within its part, and does not change: `eviction`. */
  readonly check: string;
  readonly status: Status;
  /** What was seen. */
  readonly seen: string;
  /** What to do; undefined when nothing is to be done. */
  readonly advice: string | undefined;
}

/** Makes the findings of one part. */
export class Findings {
  readonly all: Finding[] = [];

  constructor(private readonly part: string) {}

  ok(check: string, seen: string): void {
    this.add(check, "ok", seen, undefined);
  }

  warning(check: string, seen: string, advice: string): void {
    this.add(check, "warning", seen, advice);
  }

  problem(check: string, seen: string, advice: string): void {
    this.add(check, "problem", seen, advice);
  }

  private add(check: string, status: Status, seen: string, advice: string | undefined): void {
    this.all.push({ part: this.part, check, status, seen, advice });
  }
}

/** Looks at one part; independent of the others. */
export interface Check {
  readonly part: string;
  /** `signal` aborts when the time is over. */
  readonly run: (signal: AbortSignal) => Promise<readonly Finding[]>;
}

/** Runs checks at once. One that throws or takes too long is a finding itself; nothing is waited for any longer. */
export async function runChecks(checks: readonly Check[], timeoutMs: number): Promise<Finding[]> {
  const found = await Promise.all(checks.map((check) => runCheck(check, timeoutMs)));
  return found.flat();
}

async function runCheck({ part, run }: Check, timeoutMs: number): Promise<readonly Finding[]> {
  // What asks a network gives up a little earlier, and then knows better what it was waiting for.
  const controller = new AbortController();
  const giveUp = setTimeout(() => {
    controller.abort();
  }, timeoutMs * 0.9);
  let late: NodeJS.Timeout | undefined;
  const over = new Promise<readonly Finding[]>((resolve) => {
    late = setTimeout(() => {
      const findings = new Findings(part);
      findings.problem("time", `No answer within ${timeoutMs / 1000} seconds.`, unreachableAdvice);
      resolve(findings.all);
    }, timeoutMs);
  });
  try {
    return await Promise.race([run(controller.signal), over]);
  } catch (error) {
    const findings = new Findings(part);
    // A foreign error's text may hold anything.
    const kind = error instanceof Error && /^\w{1,64}$/.test(error.name) ? error.name : "an unknown error";
    findings.problem(
      "doctor",
      `The check itself failed (${kind}).`,
      "Please report it; the other findings stand.",
    );
    return findings.all;
  } finally {
    clearTimeout(giveUp);
    clearTimeout(late);
  }
}

const unreachableAdvice =
  "See that it runs and that firewalls let this machine through, or give it longer with --timeout.";

/** What each code of a socket that could not be used means, for a service called `what`, and what to do. */
export function connectionTrouble(code: string, what: string): readonly [seen: string, advice: string] {
  switch (code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return [`The name of ${what} does not resolve (${code}).`, "Correct the name, or this machine's DNS."];
    case "ECONNREFUSED":
      return [`Nothing listens at ${what} (${code}).`, "Start it, or correct the address and port."];
    case "TIMEOUT":
    case "ETIMEDOUT":
    case "ESOCKETTIMEDOUT":
    case "UND_ERR_CONNECT_TIMEOUT":
      return [`${what} does not answer in time (${code}).`, unreachableAdvice];
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return [`There is no way to ${what} (${code}).`, "Correct routes, firewalls or the address."];
    case "ECONNRESET":
    case "DISCONNECTED":
    case "EPIPE":
      return [
        `${what} cuts the connection (${code}).`,
        "See that it speaks what the URL says (TLS or not), and that nothing between cuts connections.",
      ];
    default:
      return isTlsTrouble(code)
        ? [
            `The TLS of ${what} cannot be trusted or spoken (${code}).`,
            "Have it show a valid certificate for this name; for an authority of your own set NODE_EXTRA_CA_CERTS.",
          ]
        : [`${what} cannot be reached (${code}).`, "See its log, and that the address is right."];
  }
}

function isTlsTrouble(code: string): boolean {
  return /CERT|SELF_SIGNED|^ERR_(TLS|SSL)|^EPROTO$|UNABLE_TO_|SSL/.test(code);
}

/** `3.2 s`, `15 min`, `2.1 days`. */
export function duration(ms: number): string {
  const size = Math.abs(ms);
  if (size < 1_000) return `${Math.round(size)} ms`;
  if (size < 120_000) return `${(size / 1_000).toFixed(1)} s`;
  if (size < 2 * 3_600_000) return `${Math.round(size / 60_000)} min`;
  if (size < 48 * 3_600_000) return `${(size / 3_600_000).toFixed(1)} hours`;
  return `${Math.floor(size / 86_400_000)} days`;
}

/** Judges how far another clock is from this machine's. */
export function judgeClock(
  findings: Findings,
  {
    whose,
    skewMs,
    warnMs,
    problemMs = Infinity,
    why,
  }: {
    readonly whose: string;
    readonly skewMs: number | undefined;
    readonly warnMs: number;
    readonly problemMs?: number;
    /** What goes wrong with clocks that differ: a clause. */
    readonly why: string;
  },
): void {
  if (skewMs === undefined) return;
  const seen = `${whose} clock is ${duration(skewMs)} ${skewMs < 0 ? "behind" : "ahead of"} this machine's.`;
  const advice = `Set both clocks by NTP: ${why}.`;
  if (Math.abs(skewMs) > problemMs) findings.problem("clock", seen, advice);
  else if (Math.abs(skewMs) > warnMs) findings.warning("clock", seen, advice);
  else findings.ok("clock", `${whose} clock and this machine's agree.`);
}
