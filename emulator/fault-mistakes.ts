/** Finds what is wrong with a fault, so that a slip of the pen is told at once and not met as a broken connection. */
import { validateHeaderName, validateHeaderValue } from "node:http";
import type { Fault, FaultKind } from "./fault";
import { limitPer30Seconds } from "./rate-limits";

/** The kinds, each with the fields of its own. */
const kinds: Readonly<Record<FaultKind["kind"], readonly string[]>> = {
  status: ["status", "body", "headers"],
  latency: ["latencyMs"],
  answerLate: ["latencyMs"],
  hang: [],
  hangAfter: [],
  resetBefore: [],
  resetAfter: [],
  resetInBody: [],
  wrongSuccess: ["status"],
  missingExpiresOn: [],
  malformedJson: [],
  html502: [],
  identityGone: [],
};

const everyKind = ["kind", "operation", "times", "probability"];

/** Whether a field's value is right, and what it has to be. An absent field is not looked at. */
const fields: Readonly<Record<string, readonly [isRight: (value: unknown) => boolean, must: string]>> = {
  operation: [
    (value) => typeof value === "string" && Object.hasOwn(limitPer30Seconds, value),
    `one of ${Object.keys(limitPer30Seconds).join(", ")}`,
  ],
  times: [(value) => Number.isInteger(value) && Number(value) > 0, "a whole number from 1"],
  probability: [(value) => isBetween(value, 0, 1), "a number from 0 to 1"],
  // Longer than this, Node's timers fire at once.
  latencyMs: [(value) => isBetween(value, 0, 2 ** 31 - 1), "a number of milliseconds, at most 24 days"],
  status: [
    (value) => Number.isInteger(value) && isBetween(value, 200, 599),
    "a whole number from 200 to 599",
  ],
  body: [(value) => typeof value === "string", "a string: JSON goes in as text"],
  headers: [areHeaders, "an object of header names and their values as strings"],
};

/** The fields that a kind cannot do without. */
const needed: Readonly<Record<string, string>> = {
  status: "status",
  latency: "latencyMs",
  answerLate: "latencyMs",
};

/** What is wrong with a fault, which may come from JSON; undefined when nothing is. */
export function mistakeIn(fault: Fault): string | undefined {
  if (!Object.hasOwn(kinds, fault.kind)) return `kind is one of ${Object.keys(kinds).join(", ")}.`;
  const allowed = [...everyKind, ...kinds[fault.kind]];
  const given = Object.entries(fault as Record<string, unknown>).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    if (!allowed.includes(name))
      return `${fault.kind} has no field ${name}, only ${allowed.slice(1).join(", ")}.`;
    const rule = fields[name];
    if (rule && !rule[0](value)) return `${name} is ${rule[1]}.`;
  }
  const missing = needed[fault.kind];
  if (missing !== undefined && !given.some(([name]) => name === missing))
    return `${missing} is ${String(fields[missing]?.[1])}.`;
  return undefined;
}

function isBetween(value: unknown, min: number, max: number): boolean {
  return typeof value === "number" && value >= min && value <= max;
}

function areHeaders(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(([name, text]) => {
    if (typeof text !== "string") return false;
    try {
      validateHeaderName(name);
      validateHeaderValue(name, text);
      return true;
    } catch {
      return false;
    }
  });
}
