/** `doctor`: looks at the whole installation as the environment describes it, and says what to mend. */
import { processEnvironment, type Environment } from "../src/config";
import { azureCheck, emulatorCheck } from "./doctor/azure";
import { certificateChecks } from "./doctor/certificate";
import { configurationCheck } from "./doctor/configuration";
import { directoryChecks } from "./doctor/directory";
import { runChecks, type Check, type Finding, type Status } from "./doctor/finding";
import { issuerChecks } from "./doctor/issuers";
import { readLeniently } from "./doctor/lenient-config";
import { machineChecks } from "./doctor/machine";
import { redisChecks } from "./doctor/redis";

/** What is found, for machines. */
export interface Diagnosis {
  /** The worst of the findings. */
  readonly status: Status;
  readonly counts: Readonly<Record<Status, number>>;
  readonly findings: readonly Finding[];
}

/** Looks at everything at once. Never rejects, and takes no longer than `timeoutMs` and a moment. */
export async function diagnose(environment: Environment, timeoutMs: number): Promise<Diagnosis> {
  const readable = readLeniently(environment);
  const { config, production, standInResource, emulatorPort } = readable;
  const checks: Check[] = [
    configurationCheck(readable, environment),
    ...(config ? certificateChecks(config) : []),
    ...(config && !standInResource ? config.acs.resources.map(azureCheck) : []),
    ...(emulatorPort === undefined ? [] : [emulatorCheck(emulatorPort)]),
    ...(config ? redisChecks(config, production, timeoutMs) : []),
    ...(config ? directoryChecks(config, production, timeoutMs) : []),
    ...(config ? issuerChecks(config) : []),
    ...machineChecks(config),
  ];
  const findings = await runChecks(checks, timeoutMs);
  const count = (status: Status) => findings.filter((each) => each.status === status).length;
  const counts = { ok: count("ok"), warning: count("warning"), problem: count("problem") };
  const status = counts.problem > 0 ? "problem" : counts.warning > 0 ? "warning" : "ok";
  return { status, counts, findings };
}

/** Options of `doctor`. */
export interface DoctorOptions {
  /** The longest that a check may take, in milliseconds. */
  readonly timeout: number;
  readonly json?: boolean;
}

/** Writes the findings to stdout and ends the process: 0, or 1 when there are problems. */
export async function doctor({ timeout, json }: DoctorOptions): Promise<void> {
  const diagnosis = await diagnose(processEnvironment(), timeout);
  const text = json ? `${JSON.stringify(withNulls(diagnosis), null, 2)}\n` : report(diagnosis);
  // What hangs must not keep the process, and what is written must be out.
  process.stdout.write(text, () => process.exit(diagnosis.status === "problem" ? 1 : 0));
}

/** Every finding has the same members, whatever it says. */
function withNulls({ findings, ...rest }: Diagnosis) {
  return { ...rest, findings: findings.map((each) => ({ ...each, advice: each.advice ?? null })) };
}

const marks: Readonly<Record<Status, string>> = { ok: "ok     ", warning: "warning", problem: "PROBLEM" };

function report({ findings, counts }: Diagnosis): string {
  const lines: string[] = [];
  let part = "";
  for (const finding of findings) {
    if (finding.part !== part) lines.push("", finding.part);
    part = finding.part;
    lines.push(`  ${marks[finding.status]}  ${finding.seen}`);
    if (finding.advice !== undefined) lines.push(`           → ${finding.advice}`);
  }
  const sum = `${amount(counts.problem, "problem")}, ${amount(counts.warning, "warning")}, ${counts.ok} ok.`;
  return `${[...lines.slice(1), "", sum].join("\n")}\n`;
}

function amount(count: number, noun: string): string {
  return `${count === 0 ? "No" : count} ${noun}${count === 1 ? "" : "s"}`;
}
