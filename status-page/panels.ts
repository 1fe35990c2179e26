/** What the page is made of: tiles, charts and tables, and how each is filled from an answer. */
import { Chart, sparkline } from "./chart";
import { el, setAttribute, setText } from "./dom";
import { count, duration, memory, moment, rate, share, some, span } from "./format";
import type { Figures, Name, Status } from "./status";
import { Table, type Cell } from "./table";

/** A part of the page. */
export interface Panel {
  readonly element: Element;
  show(status: Status): void;
}

interface TileSays {
  readonly value: string;
  readonly note: string;
  readonly tone?: "bad" | "warn" | undefined;
}

function tile(heading: string, name: Name | undefined, say: (status: Status) => TileSays): Panel {
  const value = el("dd", { class: "figure" });
  const note = el("dd", { class: "note" });
  const line = name === undefined ? undefined : sparkline(name);
  const element = el("div", { class: "tile" }, el("dt", {}, heading), value, note);
  if (line) element.append(el("dd", { class: "spark" }, line.element));
  return {
    element,
    show: (status) => {
      const said = say(status);
      setText(value, said.value);
      setText(note, said.note);
      setAttribute(element, "class", `tile ${said.tone ?? ""}`.trim());
      line?.show(status);
    },
  };
}

const ofNow = (status: Status, say: (now: Figures) => TileSays): TileSays =>
  status.now ? say(status.now) : { value: "–", note: "measuring…" };

/** The figures at the top. */
export function tiles(): Panel[] {
  return [
    tile("Operations", "operations", (status) =>
      ofNow(status, (now) => ({
        value: `${rate(now.operations)} /s`,
        note: `${some(now.inFlight, "request", "requests")} in flight`,
      })),
    ),
    tile("Failures", "failures", (status) =>
      ofNow(status, (now) => ({
        value: now.operations > 0 ? share(now.failures / now.operations) : "–",
        note: `${rate(now.failures)} /s failed, ${rate(now.refusals)} /s refused`,
        tone: now.failures === 0 ? undefined : now.failures > now.operations * 0.01 ? "bad" : "warn",
      })),
    ),
    tile("Latency, p95", "p95", (status) =>
      ofNow(status, (now) => ({
        value: duration(now.p95),
        note: `p50 ${duration(now.p50)}, p99 ${duration(now.p99)}`,
      })),
    ),
    tile("Cache hit ratio", "hitRatio", (status) =>
      ofNow(status, (now) => ({
        value: share(now.hitRatio),
        note: `${rate(now.cached)} /s cached, ${rate(now.issued)} /s issued`,
      })),
    ),
    tile("Azure budget left", "calls", ({ window: { azure }, now }) => {
      const shares = azure.flatMap(({ limit, remaining, operation }) =>
        limit === null || remaining === null || limit === 0 ? [] : [{ operation, left: remaining / limit }],
      );
      const least = shares.sort((one, other) => one.left - other.left)[0];
      const queued = azure.reduce((sum, row) => sum + row.queued, 0);
      const open = azure.filter(({ circuitOpen }) => circuitOpen).length;
      const calls = `${rate(now?.calls ?? 0)} calls/s`;
      return {
        value: share(least?.left ?? null),
        note:
          open > 0
            ? `${some(open, "circuit", "circuits")} open`
            : queued > 0
              ? `${count(queued)} waiting, ${calls}`
              : least && least.left < 1
                ? `${least.operation}, ${calls}`
                : calls,
        tone: open > 0 ? "bad" : queued > 0 || (least && least.left < 0.1) ? "warn" : undefined,
      };
    }),
    tile("Gateways", undefined, ({ replicas: { known, list }, redis }) => {
      const draining = list.filter(({ state }) => state === "draining").length;
      const notes = {
        alone: "without a shared Redis",
        away: "Redis is away: others are not seen",
        shared: draining > 0 ? `${draining} draining` : "all serving",
      };
      return {
        value: String(list.length),
        note: known === "away" && redis?.status === "ok" ? "others are not seen yet" : notes[known],
        tone: known === "away" ? "warn" : draining > 0 ? "warn" : undefined,
      };
    }),
  ];
}

/** The figures over time. */
export function charts(): Panel[] {
  const options = [
    {
      id: "operations-chart",
      heading: "Operations per second",
      lines: [
        { name: "operations", label: "all", look: "1" },
        { name: "refusals", label: "refused", look: "2" },
        { name: "failures", label: "failed", look: "bad" },
      ],
      say: rate,
      least: 1,
    },
    {
      id: "latency-chart",
      heading: "Latency of operations",
      lines: [
        { name: "p50", label: "p50", look: "1" },
        { name: "p95", label: "p95", look: "2" },
        { name: "p99", label: "p99", look: "3" },
      ],
      say: duration,
      least: 1,
    },
    {
      id: "tokens-chart",
      heading: "Tokens per second",
      lines: [
        { name: "cached", label: "cached", look: "1" },
        { name: "issued", label: "issued", look: "2" },
        { name: "joined", label: "shared", look: "3" },
      ],
      say: rate,
      least: 1,
    },
    {
      id: "calls-chart",
      heading: "Calls to Azure per second",
      lines: [
        { name: "calls", label: "all", look: "1" },
        { name: "callFailures", label: "failed", look: "bad" },
      ],
      say: rate,
      least: 1,
    },
    {
      id: "azure-latency-chart",
      heading: "Latency of Azure",
      lines: [
        { name: "callP50", label: "p50", look: "1" },
        { name: "callP95", label: "p95", look: "2" },
      ],
      say: duration,
      least: 10,
    },
    {
      id: "hits-chart",
      heading: "Cache hit ratio",
      lines: [{ name: "hitRatio", label: "tokens from the cache", look: "1" }],
      say: share,
      top: 1,
      least: 1,
    },
    {
      id: "connections-chart",
      heading: "Connections",
      lines: [
        { name: "connections", label: "open", look: "1" },
        { name: "inFlight", label: "requests in flight", look: "2" },
      ],
      say: count,
      least: 3,
    },
    {
      id: "busy-chart",
      heading: "Event loop, busy",
      lines: [{ name: "busy", label: "the busiest gateway", look: "1" }],
      say: share,
      top: 1,
      least: 1,
    },
    {
      id: "memory-chart",
      heading: "Memory",
      lines: [{ name: "memory", label: "resident", look: "1" }],
      say: memory,
      least: 1e8,
    },
  ] as const;
  return options.map((each) => new Chart(each));
}

const number = (name: string) => ({ name, isNumber: true });
const text = (name: string) => ({ name });
const of = (value: string): Cell => ({ text: value });
/** Marked when it is more than nothing. */
const marked = (amount: number, tone: "bad" | "warn"): Cell =>
  amount > 0 ? { text: count(amount), tone } : { text: "0", tone: "quiet" };

/** The tables that need the whole width. */
export function tables(): Panel[] {
  return [replicas(), operations(), azure()];
}

/** The smaller tables. */
export function cards(): Panel[] {
  return [errors(), revocations(), totals(), redis(), about(), configuration()];
}

function filled(table: Table, rows: (status: Status) => Cell[][], note?: (status: Status) => string): Panel {
  return {
    element: table.element,
    show: (status) => {
      table.fill(rows(status), note?.(status));
    },
  };
}

function replicas(): Panel {
  const columns = [
    text("Gateway"),
    text("State"),
    text("Version"),
    number("Up for"),
    number("Operations/s"),
    number("Failed/s"),
    number("Hit ratio"),
    number("p95"),
    number("Azure/s"),
    number("Connections"),
    number("Memory"),
    number("Busy"),
  ];
  const table = new Table("replicas", "Gateways", columns, "None.");
  const row = (replica: Status["replicas"]["list"][number], at: number): Cell[] => {
    const { figures } = replica;
    const say = (name: Name, words: (value: number | null) => string): Cell =>
      of(words(figures?.[name] ?? null));
    return [
      of(`${replica.host} · ${replica.id}${replica.isSelf ? " (this one)" : ""}`),
      replica.state === "draining"
        ? { text: "draining", tone: "warn" }
        : replica.ageSeconds > 6
          ? { text: `silent for ${span(replica.ageSeconds)}`, tone: "warn" }
          : { text: "serving", tone: "good" },
      of(replica.version),
      of(span((at - replica.startedAt) / 1_000)),
      say("operations", rate),
      figures && figures.failures > 0
        ? { text: rate(figures.failures), tone: "bad" }
        : { text: figures ? "0" : "–", tone: "quiet" },
      say("hitRatio", share),
      say("p95", duration),
      say("calls", rate),
      say("connections", count),
      say("memory", memory),
      say("busy", share),
    ];
  };
  const sum = (status: Status): Cell[][] => {
    const all = status.replicas.list.flatMap(({ figures }) => (figures ? [figures] : []));
    if (status.replicas.list.length < 2) return [];
    const add = (name: Name) => all.reduce((total, figures) => total + (figures[name] ?? 0), 0);
    const served = add("cached") + add("issued");
    return [
      [
        of("All together"),
        of(""),
        of(""),
        of(""),
        of(rate(add("operations"))),
        add("failures") > 0 ? { text: rate(add("failures")), tone: "bad" } : { text: "0", tone: "quiet" },
        of(share(served > 0 ? add("cached") / served : null)),
        of(""),
        of(rate(add("calls"))),
        of(count(add("connections"))),
        of(memory(add("memory"))),
        of(""),
      ],
    ];
  };
  return filled(
    table,
    (status) => [...status.replicas.list.map((replica) => row(replica, status.at)), ...sum(status)],
    ({ replicas: { known } }) =>
      known === "away" ? "Redis is away, so others may be there that are not seen." : "",
  );
}

/** What a table of the last minutes says of its time. */
const lastMinutes = ({ window: { seconds } }: Status) =>
  seconds > 0 ? `This gateway, last ${span(seconds)}` : "This gateway";

function operations(): Panel {
  const columns = [
    text("Operation"),
    number("Count"),
    number("Per second"),
    number("Refused"),
    number("Failed"),
    number("p50"),
    number("p95"),
    number("p99"),
  ];
  const table = new Table("operations", "Operations", columns, "No operation yet.");
  return filled(
    table,
    ({ window }) =>
      window.operations.map((row) => [
        of(row.operation),
        of(count(row.count)),
        of(rate(row.perSecond)),
        of(count(row.refused)),
        marked(row.failed, "bad"),
        of(duration(row.p50)),
        of(duration(row.p95)),
        of(duration(row.p99)),
      ]),
    lastMinutes,
  );
}

function azure(): Panel {
  const columns = [
    text("Operation"),
    text("Circuit"),
    text("Budget left"),
    number("Waiting"),
    number("Calls"),
    number("Failed"),
    number("p50"),
    number("p95"),
    number("p99"),
    text("Resource"),
  ];
  const table = new Table("azure", "Azure", columns, "Azure was not called yet.");
  return filled(
    table,
    ({ window }) =>
      window.azure.map((row) => [
        of(row.operation),
        row.circuitOpen ? { text: "open", tone: "bad" } : { text: "closed", tone: "good" },
        row.limit === null || row.remaining === null
          ? of("–")
          : { text: `${count(row.remaining)} of ${count(row.limit)}`, left: row.remaining / row.limit },
        marked(row.queued, "warn"),
        of(count(row.calls)),
        marked(row.failed, "bad"),
        of(duration(row.p50)),
        of(duration(row.p95)),
        of(duration(row.p99)),
        of(row.resource),
      ]),
    lastMinutes,
  );
}

function errors(): Panel {
  const table = new Table("errors", "Errors", [text("Code"), number("Count")], "No errors.");
  return filled(
    table,
    ({ window }) => window.errors.map(({ name, count: amount }) => [of(name), of(count(amount))]),
    lastMinutes,
  );
}

function revocations(): Panel {
  const columns = [text("Cause"), number("Confirmed"), number("Unconfirmed")];
  const table = new Table("revocations", "Revocations", columns, "Nothing was revoked yet.");
  return filled(
    table,
    (status) =>
      status.revocations.map(({ cause, confirmed, unconfirmed }) => [
        of(cause),
        of(count(confirmed)),
        marked(unconfirmed, "bad"),
      ]),
    () => "This gateway, since its start",
  );
}

function redis(): Panel {
  const columns = [text("Script"), number("Calls"), number("p50"), number("p95"), number("p99")];
  const table = new Table("redis", "Redis", columns, "No call yet.");
  const states = {
    ok: "up",
    full: "full: stores nothing more",
    partly: "partly away",
    away: "away",
  };
  return filled(
    table,
    ({ window }) =>
      window.scripts.map((row) => [
        // All of them begin with the gateway's name.
        of(row.script.replace(/^acs(gw)?/, "")),
        of(count(row.count)),
        of(duration(row.p50)),
        of(duration(row.p95)),
        of(duration(row.p99)),
      ]),
    (status) => {
      if (!status.redis) return "There is none: this gateway has a cache of its own.";
      const { status: state, reason, awaySeconds } = status.redis;
      const because = reason === null ? "" : ` (${reason})`;
      const away = awaySeconds > 0 ? `, away for ${span(awaySeconds)} in all` : ", never away";
      return `Redis is ${states[state]}${because}${away}. ${lastMinutes(status)}:`;
    },
  );
}

function totals(): Panel {
  const table = new Table("totals", "Since the start", [text("What"), number("Count")], "Nothing yet.");
  return filled(
    table,
    (status) => status.totals.map(({ name, count: amount }) => [of(name), of(count(amount))]),
    () => "This gateway",
  );
}

function about(): Panel {
  const table = new Table("process", "Process", [text("What"), number("Value")], "Nothing.");
  return filled(table, ({ gateway, process, at }) =>
    [
      ["Gateway", `${gateway.host} · ${gateway.id}`],
      ["Version", gateway.version],
      ["Node.js", gateway.node],
      ["Started", moment(gateway.startedAt)],
      ["Up for", span((at - gateway.startedAt) / 1_000)],
      ["Resident memory", memory(process.memory)],
      ["Heap in use", `${memory(process.heapUsed)} of ${memory(process.heapTotal)}`],
      ["Subscriptions open", count(process.subscriptions)],
    ].map((row) => row.map(of)),
  );
}

function configuration(): Panel {
  const table = new Table("configuration", "Configuration", [text("What"), text("Value")], "Nothing.");
  return filled(table, (status) => status.configuration.map(({ name, value }) => [of(name), of(value)]));
}
