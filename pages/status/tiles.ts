/** The figures at the top. */
import { el, setAttribute, setText } from "./dom";
import * as m from "./figures";
import { count, duration, memory, rate, share, span } from "./format";
import type { Period } from "./period";

interface TileText {
  readonly value: string;
  readonly note: string;
  readonly tone?: "bad" | "warn" | undefined;
}

/** A heading, and its figure; undefined hides the tile. */
type Tile = readonly [heading: string, say: (period: Period) => TileText | undefined];

const tiles: readonly Tile[] = [
  [
    "Operations",
    (period) => ({
      value: `${rate(period.rate(`${m.operations}_count`))} /s`,
      note: `in flight ${count(period.now("http_requests_in_flight"))}, connections ${count(period.now("http_connections"))}`,
    }),
  ],
  [
    "Failed operations",
    (period) => {
      const part = period.share(`${m.operations}_count`, m.failed);
      const failures = period.increase(`${m.operations}_count`, m.failed);
      return {
        value: share(part),
        note: `${count(failures)} failed, ${count(period.increase(`${m.operations}_count`, m.refused))} refused`,
        tone: failures === 0 ? undefined : (part ?? 0) > 0.05 ? "bad" : "warn",
      };
    },
  ],
  [
    "issueToken, p95",
    (period) => {
      const quantile = (q: number) => duration(period.quantile(m.operations, q, m.issueToken));
      return { value: quantile(0.95), note: `p50 ${quantile(0.5)}, p99 ${quantile(0.99)}` };
    },
  ],
  [
    "Cache hit ratio",
    (period) => {
      const of = (source: string) => period.rate("tokens_served_total", (labels) => labels.source === source);
      return {
        value: share(period.share("tokens_served_total", ({ source }) => source === "cache")),
        note: `${rate(of("cache"))} /s cached, ${rate(of("issued"))} /s issued`,
      };
    },
  ],
  [
    "ACS rate limit used",
    (period) => {
      const uses = m.limitUses(period);
      const [fullest] = uses;
      if (!fullest) return undefined;
      const queued = uses.reduce((sum, use) => sum + use.queued, 0);
      const part = m.usedShare(fullest);
      return {
        value: share(part),
        note: `${fullest.operation}: ${count(fullest.used)} of ${count(fullest.limit)}${queued > 0 ? `, ${count(queued)} waiting` : ""}`,
        tone: part > 0.9 ? "bad" : queued > 0 || part > 0.75 ? "warn" : undefined,
      };
    },
  ],
  [
    "ACS circuit breakers",
    (period) => {
      const all = period.series("upstream_circuit_open");
      if (all.length === 0) return undefined;
      const open = m.limitUses(period).filter(({ isCircuitOpen }) => isCircuitOpen);
      return open.length === 0
        ? { value: "Closed", note: `all ${count(all.length)}: calls go through` }
        : {
            value: `${count(open.length)} open`,
            note: `calls are paused: ${[...new Set(open.map(({ operation }) => operation))].join(", ")}`,
            tone: "bad",
          };
    },
  ],
  [
    "Redis",
    (period) => {
      const up = period.now("redis_up");
      if (up === null) return undefined;
      const away = period.now("redis_away_seconds_total") ?? 0;
      return {
        value: up > 0 ? "Up" : "Away",
        note: away > 0 ? `away for ${span(away)} since the start` : "never away since the start",
        tone: up > 0 ? undefined : "bad",
      };
    },
  ],
  [
    "Event loop lag, p99",
    (period) => {
      if (!period.has("nodejs_eventloop_lag_p99_seconds")) return undefined;
      const lag = m.eventLoopLag("p99")(period);
      return {
        value: duration(lag),
        note: `processor ${rate(period.rate("process_cpu_seconds_total") * 100)} % of a core, memory ${memory(period.now("process_resident_memory_bytes"))}`,
        tone: (lag ?? 0) > 0.5 ? "bad" : (lag ?? 0) > 0.1 ? "warn" : undefined,
      };
    },
  ],
];

/** Fills `list` with the tiles; the result shows a period in them. */
export function showTiles(list: HTMLElement): (period: Period) => void {
  const made = tiles.map(([heading, say]) => {
    const [value, note] = [el("dd", { class: "figure" }, "–"), el("dd", { class: "note" })];
    const element = el("div", { class: "tile" }, el("dt", {}, heading), value, note);
    list.append(element);
    return (period: Period) => {
      const text = say(period);
      element.hidden = text === undefined;
      setText(value, text?.value ?? "");
      setText(note, text?.note ?? "");
      setAttribute(element, "class", `tile ${text?.tone ?? ""}`.trim());
    };
  });
  return (period) => {
    for (const show of made) show(period);
  };
}
