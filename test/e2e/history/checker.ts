/** Judges a history: no dead token after an answered revocation, none of somebody else, no second call for one key. */
import type { EndingEntry, FaultEntry, HistoryEntry, IssueEntry } from "./history";

/** What Azure knows of a token. */
export interface TokenTruth {
  readonly identityId: string;
  readonly scopes: readonly string[];
  /** When a revocation or deletion killed it; undefined while it is good. */
  readonly killedAt?: number;
}

/** Azure's word on a token; undefined when it never issued it. */
export type Truth = (token: string) => TokenTruth | undefined;

/** A rule that was broken, with the shortest history that shows it, in order of time. */
export interface Violation {
  readonly rule: "stale token" | "foreign token" | "two calls";
  readonly what: string;
  readonly history: readonly HistoryEntry[];
}

/** For this long after a fault the cache may still be cold or doubted, so that two calls for one key are no wonder. */
const aftermathMs = 5_000;

/** Every violation in a history. */
export function check(
  entries: readonly HistoryEntry[],
  faults: readonly FaultEntry[],
  truth: Truth,
): Violation[] {
  const byIdentity = new Map<string, HistoryEntry[]>();
  for (const entry of entries) {
    const list = byIdentity.get(entry.identityId) ?? [];
    byIdentity.set(entry.identityId, list);
    list.push(entry);
  }
  return [...byIdentity.values()].flatMap((list) => {
    const issues = list.filter(
      (entry) => entry.kind === "issue" && entry.token !== undefined,
    ) as IssueEntry[];
    const endings = list.filter((entry) => entry.kind !== "issue");
    return [
      ...issues.flatMap((issue) => foreign(issue, truth)),
      ...issues.flatMap((issue) => stale(issue, issues, endings, truth)),
      ...twoCalls(issues, endings, faults),
    ];
  });
}

function foreign(issue: IssueEntry, truth: Truth): Violation[] {
  const known = truth(issue.token ?? "");
  const right =
    known?.identityId === issue.identityId &&
    [...known.scopes].sort().join() === [...issue.scopes].sort().join();
  return right ? [] : [{ rule: "foreign token", what: `is ${JSON.stringify(known)}`, history: [issue] }];
}

/** A request that began after an ending had answered got a token that was dead by the end of that answer. */
function stale(
  issue: IssueEntry,
  issues: readonly IssueEntry[],
  endings: readonly EndingEntry[],
  truth: Truth,
): Violation[] {
  const killedAt = truth(issue.token ?? "")?.killedAt;
  if (killedAt === undefined) return [];
  const ending = endings.find(({ outcome, end }) => outcome === "OK" && killedAt <= end && end < issue.start);
  if (!ending) return [];
  const first = issues.find((other) => other.token === issue.token && other.source === "ISSUED");
  const history = [...(first && first !== issue ? [first] : []), ending, issue];
  return [
    {
      rule: "stale token",
      what: `died at ${killedAt.toFixed(1)}, ${(issue.start - ending.end).toFixed(1)} ms before the request began the ${ending.kind} had answered`,
      history: history.sort((a, b) => a.start - b.start),
    },
  ];
}

/** Two requests for one key overlapped in quiet times, and each was issued a token of its own. */
function twoCalls(
  issues: readonly IssueEntry[],
  endings: readonly EndingEntry[],
  faults: readonly FaultEntry[],
): Violation[] {
  const overlaps = (entry: { start: number; end: number }, from: number, to: number) =>
    entry.start <= to && entry.end >= from;
  const issued = issues.filter(({ source, forced }) => source === "ISSUED" && !forced);
  const violations: Violation[] = [];
  for (const [index, one] of issued.entries()) {
    for (const two of issued.slice(index + 1)) {
      if (one.key !== two.key || one.token === two.token || !overlaps(two, one.start, one.end)) continue;
      const [from, to] = [Math.min(one.start, two.start), Math.max(one.end, two.end)];
      // An ending whose outcome is not known, or not good, may take effect later.
      const ended = endings.some(({ start, end, outcome }) =>
        overlaps({ start, end: outcome === "OK" ? end : Infinity }, from, to),
      );
      const faulty = faults.some(({ start, end }) => overlaps({ start, end: end + aftermathMs }, from, to));
      if (!ended && !faulty) {
        const history = [one, two].sort((a, b) => a.start - b.start);
        violations.push({ rule: "two calls", what: `for ${one.key}`, history });
      }
    }
  }
  return violations;
}

/** A violation for people, with the times in milliseconds since its first operation. */
export function describeViolation({ rule, what, history }: Violation): string {
  const zero = history[0]?.start ?? 0;
  const lines = history.map((entry) => {
    const times = `${(entry.start - zero).toFixed(1)}..${(entry.end - zero).toFixed(1)} ms`;
    const detail =
      entry.kind === "issue" ? `${entry.key}${entry.forced ? " forced" : ""} ${entry.source ?? ""}` : "";
    return `    ${times}  gateway ${entry.replica}  ${entry.kind} ${detail} -> ${entry.outcome}`;
  });
  return [`${rule}: ${what}, identity …${history[0]?.identityId.slice(-8) ?? ""}`, ...lines].join("\n");
}
