/** The tables: figures of the last five minutes, and counts since the start. */
import * as m from "./figures";
import { count, duration, rate, share } from "./format";
import type { Match, Period } from "./period";
import { Table, type Cell, type TableOptions } from "./table";

interface Filled extends TableOptions {
  readonly rows: (period: Period) => (readonly Cell[])[];
  /** Without this metric the table is hidden. */
  readonly needs?: string;
}

const plain = (text: string): Cell => ({ text });
const marked = (amount: number, tone: "bad" | "warn"): Cell =>
  amount > 0 ? { text: count(amount), tone } : plain("0");
const quantiles = (period: Period, name: string, match: Match) =>
  [0.5, 0.95, 0.99].map((q) => plain(duration(period.quantile(name, q, match))));

const recent: readonly Filled[] = [
  {
    id: "operations",
    heading: "Operations",
    columns: ["Operation", "Count", "Per second", "Refused", "Failed", "p50", "p95", "p99"],
    empty: "No operation in this time.",
    rows: (period) =>
      period.byIncrease(`${m.operations}_count`, "operation").map(({ value: operation, increase }) => {
        const mine: Match = (labels) => labels.operation === operation;
        const those = (match: Match) =>
          period.increase(`${m.operations}_count`, (labels) => mine(labels) && match(labels));
        return [
          plain(operation),
          plain(count(increase)),
          plain(rate(increase / period.seconds)),
          plain(count(those(m.refused))),
          marked(those(m.failed), "bad"),
          ...quantiles(period, m.operations, mine),
        ];
      }),
  },
  {
    id: "acs",
    heading: "Calls to ACS",
    columns: [
      "Call",
      "Rate limit used",
      "Waiting",
      "Circuit breaker",
      "Calls",
      "Failed",
      "p50",
      "p95",
      "p99",
    ],
    empty: "No call in this time.",
    rows: (period) => {
      const called = new Set(period.byIncrease(`${m.calls}_count`, "operation").map(({ value }) => value));
      const uses = m
        .limitUses(period)
        .filter(
          ({ operation, used, queued, isCircuitOpen }) =>
            called.has(operation) || used + queued > 0 || isCircuitOpen,
        );
      const isOne = new Set(uses.map(({ resource }) => resource)).size === 1;
      return uses.map((use) => {
        const mine: Match = ({ resource, operation }) =>
          resource === use.resource && operation === use.operation;
        const part = m.usedShare(use);
        const name = `${m.calls}_count`;
        return [
          plain(isOne ? use.operation : `${use.operation} · ${use.resource}`),
          { text: `${count(use.used)} of ${count(use.limit)} (${share(part)})`, used: part },
          marked(use.queued, "warn"),
          use.isCircuitOpen ? { text: "open", tone: "bad" } : { text: "closed", tone: "good" },
          plain(count(period.increase(name, mine))),
          marked(
            period.increase(name, (labels) => mine(labels) && m.callFailed(labels)),
            "bad",
          ),
          ...quantiles(period, m.calls, mine),
        ];
      });
    },
  },
  {
    id: "errors",
    heading: "Errors by code",
    columns: ["Code", "Count", "Per second"],
    empty: "No error in this time.",
    rows: (period) =>
      errors(period).map(([code, increase]) => [
        plain(code),
        m.failures.has(code) ? marked(increase, "bad") : plain(count(increase)),
        plain(rate(increase / period.seconds)),
      ]),
  },
  {
    id: "redis",
    heading: "Redis",
    columns: ["Script", "Calls", "p50", "p95", "p99"],
    empty: "No call in this time.",
    needs: "redis_up",
    rows: (period) =>
      period.byIncrease(`${m.scripts}_count`, "script").map(({ value, increase }) => [
        // All of them begin with the gateway's name.
        plain(value.replace(/^acs(gw)?/, "")),
        plain(count(increase)),
        ...quantiles(period, m.scripts, ({ script }) => script === value),
      ]),
  },
];

/** Counters since the start of the process; failures among them stand out. */
const counters: readonly (readonly [text: string, name: string, tone?: "bad" | "warn", match?: Match])[] = [
  ["Tokens served", "tokens_served_total"],
  ["Tokens reissued ahead of expiry", "tokens_renewed_total"],
  ["Tokens discarded (revoked while being issued)", "tokens_superseded_total"],
  ["Revocations", "revocations_total"],
  [
    "Revocations not confirmed by the cache",
    "revocations_total",
    "bad",
    ({ confirmed }) => confirmed === "false",
  ],
  ["Revocations pending", "revocations_owed", "bad"],
  ["Identities created", "identities_created_total"],
  ["Identities deleted", "identities_deleted_total"],
  ["Creates with an unknown outcome", "create_outcomes_unknown_total", "warn"],
  ["Cached values that could not be decrypted", "values_not_opened_total", "warn"],
  ["Failures of dependencies", "dependency_failures_total", "warn"],
  ["Rejected files (keys, certificates)", "files_rejected_total", "bad"],
  ["Internal errors", "internal_errors_total", "bad"],
  ["Subscriptions open", "subscriptions_open"],
];

const sinceStart: Filled = {
  id: "totals",
  heading: "Since the start",
  columns: ["Event", "Count"],
  empty: "",
  rows: (period) =>
    counters.flatMap(([text, name, tone, match]) => {
      const amount = period.now(name, match);
      return amount === null ? [] : [[plain(text), tone ? marked(amount, tone) : plain(count(amount))]];
    }),
};

/** Codes of operations and of requests that never became one; an operation that was refused counts in both. */
function errors(period: Period): [string, number][] {
  const counts = new Map<string, number>();
  for (const [name, label] of [
    [`${m.operations}_count`, "outcome"],
    ["requests_refused_total", "code"],
  ] as const) {
    for (const { value, increase } of period.byIncrease(name, label)) {
      if (value !== "ok") counts.set(value, Math.max(counts.get(value) ?? 0, increase));
    }
  }
  return [...counts].sort(([, one], [, other]) => other - one);
}

/** Fills `place` with the tables; the result shows a period in them. */
export function showTables(place: HTMLElement): (period: Period) => void {
  const made = [...recent, sinceStart].map(({ rows, needs, ...options }) => {
    const table = new Table(options);
    place.append(table.element);
    return (period: Period) => {
      table.element.hidden = needs !== undefined && !period.has(needs);
      table.fill(rows(period));
    };
  });
  return (period) => {
    for (const show of made) show(period);
  };
}
