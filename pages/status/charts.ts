/** The charts: figures of the minute before each point. */
import type { ChartOptions, Line } from "./chart";
import * as m from "./figures";
import { duration, memory, rate, share } from "./format";
import type { Match, Period } from "./period";

const line = (label: string, look: Line["look"], of: Line["of"]): Line => ({ label, look, of });
const perSecond = (name: string, match?: Match) => (period: Period) => period.rate(name, match);
const quantile = (q: number, name: string, match?: Match) => (period: Period) =>
  period.quantile(name, q, match);
const gauge = (name: string) => (period: Period) => period.now(name);

export const charts: readonly ChartOptions[] = [
  {
    id: "operations-chart",
    heading: "Operations per second",
    lines: [
      line("all", "1", perSecond(`${m.operations}_count`)),
      line("refused", "2", perSecond(`${m.operations}_count`, m.refused)),
      line("failed", "bad", perSecond(`${m.operations}_count`, m.failed)),
    ],
    say: rate,
    least: 1,
  },
  {
    id: "latency-chart",
    heading: "Latency of issueToken",
    lines: [
      line("p50", "1", quantile(0.5, m.operations, m.issueToken)),
      line("p95", "2", quantile(0.95, m.operations, m.issueToken)),
      line("p99", "3", quantile(0.99, m.operations, m.issueToken)),
    ],
    say: duration,
    least: 0.001,
  },
  {
    id: "tokens-chart",
    heading: "Tokens per second",
    lines: [
      line(
        "cached",
        "1",
        perSecond("tokens_served_total", ({ source }) => source === "cache"),
      ),
      line(
        "issued",
        "2",
        perSecond("tokens_served_total", ({ source }) => source === "issued"),
      ),
      line("coalesced", "3", perSecond("token_flights_joined_total")),
    ],
    say: rate,
    least: 1,
  },
  {
    id: "hits-chart",
    heading: "Cache hit ratio",
    lines: [
      line("from the cache", "1", (period) =>
        period.share("tokens_served_total", ({ source }) => source === "cache"),
      ),
    ],
    say: share,
    least: 1,
    top: 1,
  },
  {
    id: "calls-chart",
    heading: "Calls to ACS per second",
    lines: [
      line("all", "1", perSecond(`${m.calls}_count`)),
      line(
        "throttled",
        "2",
        perSecond(`${m.calls}_count`, ({ outcome }) => outcome === "throttled"),
      ),
      line("failed", "bad", perSecond(`${m.calls}_count`, m.callFailed)),
    ],
    say: rate,
    least: 1,
  },
  {
    id: "calls-latency-chart",
    heading: "Latency of ACS",
    lines: [line("p50", "1", quantile(0.5, m.calls)), line("p95", "2", quantile(0.95, m.calls))],
    say: duration,
    least: 0.01,
  },
  {
    id: "limit-chart",
    heading: "ACS rate limit used",
    lines: [
      line("fullest", "1", (period) => {
        const [fullest] = m.limitUses(period);
        return fullest ? Math.min(1, m.usedShare(fullest)) : null;
      }),
    ],
    say: share,
    least: 1,
    top: 1,
    needs: "upstream_budget_limit",
  },
  {
    id: "redis-chart",
    heading: "Latency of Redis",
    lines: [line("p50", "1", quantile(0.5, m.scripts)), line("p95", "2", quantile(0.95, m.scripts))],
    say: duration,
    least: 0.001,
    needs: "redis_up",
  },
  {
    id: "event-loop-chart",
    heading: "Event loop lag",
    lines: [line("p50", "1", m.eventLoopLag("p50")), line("p99", "2", m.eventLoopLag("p99"))],
    say: duration,
    least: 0.02,
    needs: "nodejs_eventloop_lag_p99_seconds",
  },
  {
    id: "memory-chart",
    heading: "Memory",
    lines: [
      line("resident", "1", gauge("process_resident_memory_bytes")),
      line("heap used", "2", gauge("nodejs_heap_size_used_bytes")),
    ],
    say: memory,
    least: 5e7,
    needs: "process_resident_memory_bytes",
  },
];
