/** The source of dashboard.json, which `npm run codegen` writes: rows of panels, each a title, a unit and its queries. */
import {
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
} from "@grafana/grafana-foundation-sdk/dashboard";
import {
  LegendDisplayMode,
  LegendPlacement,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as TimeSeries } from "@grafana/grafana-foundation-sdk/timeseries";

const datasource = { type: "prometheus", uid: "${datasource}" };
const perSecond = "$__rate_interval";

/** The series of a metric that the variables choose. */
const series = (name, labels = "") =>
  `${name}{job=~"$job",instance=~"$instance"${labels === "" ? "" : `,${labels}`}}`;
const own = (name, labels) => series(`acs_token_gateway_${name}`, labels);
const rate = (selector) => `rate(${selector}[${perSecond}])`;
/** Of a counter, per second, summed over the instances. */
const sum = (name, labels, by) => `sum${by ? ` by(${by})` : ""} (${rate(own(name, labels))})`;
const share = (part, whole) => `${part} / ${whole}`;
const quantile = (q, name, labels, by) =>
  `histogram_quantile(${q}, sum by(le${by ? `, ${by}` : ""}) (${rate(own(`${name}_bucket`, labels))}))`;
const quantiles = (name, labels, by, legend = "") =>
  [0.5, 0.95, 0.99].map((q) => [quantile(q, name, labels, by), `p${q * 100}${legend}`]);

/** Outcomes that are nobody's fault but the gateway's, Azure's or of what it stands on. */
const failed =
  'outcome=~"INTERNAL_SERVER_ERROR|UPSTREAM_REJECTED|UPSTREAM_UNAVAILABLE|CACHE_UNAVAILABLE|DIRECTORY_UNAVAILABLE|ISSUER_UNAVAILABLE|OPERATION_TIMEOUT|other"';

const rows = {
  Traffic: [
    ["Operations", "reqps", [[sum("operation_duration_seconds_count", "", "operation"), "{{operation}}"]]],
    [
      "Operations that failed",
      "percentunit",
      [
        [
          share(sum("operation_duration_seconds_count", failed), sum("operation_duration_seconds_count")),
          "failed",
        ],
      ],
    ],
    [
      "Outcomes other than ok",
      "reqps",
      [[sum("operation_duration_seconds_count", 'outcome!="ok"', "outcome"), "{{outcome}}"]],
    ],
    ["Requests refused", "reqps", [[sum("requests_refused_total", "", "code"), "{{code}}"]]],
    ["HTTP requests", "reqps", [[sum("http_requests_total", "", "route, status"), "{{route}} {{status}}"]]],
    [
      "Connections, requests in flight, streams",
      "short",
      [
        [`sum(${own("http_connections")})`, "connections"],
        [`sum(${own("http_requests_in_flight")})`, "in flight"],
        [`sum(${own("subscriptions_open")})`, "streams"],
      ],
    ],
  ],
  Cache: [
    ["Tokens served", "reqps", [[sum("tokens_served_total", "", "source"), "{{source}}"]]],
    [
      "Hit ratio",
      "percentunit",
      [[share(sum("tokens_served_total", 'source="cache"'), sum("tokens_served_total")), "from the cache"]],
    ],
    [
      "Calls to Azure saved by sharing an issuance",
      "reqps",
      [[sum("token_flights_joined_total", "", "where"), "another request's, same {{where}}"]],
    ],
    [
      "Tokens renewed in the background",
      "reqps",
      [[sum("tokens_renewed_total", "", "outcome"), "{{outcome}}"]],
    ],
    [
      "Values that did not open, tokens overtaken by a revocation",
      "short",
      [
        [`sum(increase(${own("values_not_opened_total")}[${perSecond}]))`, "did not open"],
        [`sum(increase(${own("tokens_superseded_total")}[${perSecond}]))`, "overtaken"],
      ],
    ],
  ],
  Latency: [
    ["issueToken", "s", quantiles("operation_duration_seconds", 'operation="issueToken",outcome="ok"')],
    [
      "99th percentile by operation",
      "s",
      [[quantile(0.99, "operation_duration_seconds", 'outcome="ok"', "operation"), "{{operation}}"]],
    ],
    [
      "95th percentile by operation",
      "s",
      [[quantile(0.95, "operation_duration_seconds", 'outcome="ok"', "operation"), "{{operation}}"]],
    ],
    [
      "Median by operation",
      "s",
      [[quantile(0.5, "operation_duration_seconds", 'outcome="ok"', "operation"), "{{operation}}"]],
    ],
  ],
  Azure: [
    [
      "Calls",
      "reqps",
      [
        [
          sum("upstream_call_duration_seconds_count", "", "resource, operation"),
          "{{resource}} {{operation}}",
        ],
      ],
    ],
    [
      "Calls that failed",
      "reqps",
      [
        [
          sum("upstream_call_duration_seconds_count", 'outcome!="ok"', "resource, outcome"),
          "{{resource}} {{outcome}}",
        ],
      ],
    ],
    [
      "Issuance",
      "s",
      quantiles(
        "upstream_call_duration_seconds",
        'operation="issueToken",outcome="ok"',
        "resource",
        " {{resource}}",
      ),
    ],
    [
      "Budget left",
      "percentunit",
      [
        [
          `min by(resource, operation) (${own("upstream_budget_remaining")} / ${own("upstream_budget_limit")})`,
          "{{resource}} {{operation}}",
        ],
      ],
    ],
    [
      "Callers that wait for a turn",
      "short",
      [[`sum by(resource, operation) (${own("upstream_queue_length")})`, "{{resource}} {{operation}}"]],
    ],
    [
      "Open circuits",
      "short",
      [[`sum by(resource, operation) (${own("upstream_circuit_open")})`, "{{resource}} {{operation}}"]],
    ],
  ],
  "Identities and revocations": [
    [
      "Revocations",
      "short",
      [
        [
          `sum by(cause, confirmed) (increase(${own("revocations_total")}[${perSecond}]))`,
          "{{cause}}, confirmed: {{confirmed}}",
        ],
      ],
    ],
    [
      "Revocations that the cache was not told of",
      "short",
      [[`sum by(instance) (${own("revocations_owed")})`, "{{instance}}"]],
    ],
    [
      "Identities",
      "short",
      [
        [
          `sum by(with_token) (increase(${own("identities_created_total")}[${perSecond}]))`,
          "made, with a token: {{with_token}}",
        ],
        [`sum(increase(${own("identities_deleted_total")}[${perSecond}]))`, "deleted"],
        [`sum(increase(${own("orphans_deleted_total")}[${perSecond}]))`, "orphans deleted"],
        [
          `sum(increase(${own("create_outcomes_unknown_total")}[${perSecond}]))`,
          "creates of unknown outcome",
        ],
      ],
    ],
  ],
  "Redis and other parts": [
    ["Redis is up", "short", [[own("redis_up"), "{{instance}}"]]],
    ["Time away", "percentunit", [[rate(own("redis_away_seconds_total")), "{{instance}}"]]],
    ["Calls", "reqps", [[sum("redis_call_duration_seconds_count", "", "script"), "{{script}}"]]],
    ["Call latency", "s", quantiles("redis_call_duration_seconds")],
    [
      "Parts that could not be asked",
      "short",
      [
        [
          `sum by(dependency) (increase(${own("dependency_failures_total")}[${perSecond}]))`,
          "{{dependency}}",
        ],
      ],
    ],
    [
      "Faults, files rejected",
      "short",
      [
        [`sum(increase(${own("internal_errors_total")}[${perSecond}]))`, "internal errors"],
        [`sum by(file) (increase(${own("files_rejected_total")}[${perSecond}]))`, "{{file}} rejected"],
      ],
    ],
  ],
  Process: [
    ["Processor", "percentunit", [[rate(series("process_cpu_seconds_total")), "{{instance}}"]]],
    [
      "Memory",
      "bytes",
      [
        [series("process_resident_memory_bytes"), "resident {{instance}}"],
        [series("nodejs_heap_size_used_bytes"), "heap {{instance}}"],
      ],
    ],
    [
      "Event loop lag",
      "s",
      [
        [series("nodejs_eventloop_lag_p99_seconds"), "p99 {{instance}}"],
        [series("nodejs_eventloop_lag_max_seconds"), "max {{instance}}"],
      ],
    ],
    [
      "Garbage collection",
      "percentunit",
      [
        [
          `sum by(instance, kind) (${rate(series("nodejs_gc_duration_seconds_sum"))})`,
          "{{kind}} {{instance}}",
        ],
      ],
    ],
    [
      "Instances by version",
      "short",
      [[`count by(version, node) (${own("build_info")})`, "{{version}} on Node.js {{node}}"]],
    ],
  ],
};

function panel([title, unit, queries]) {
  const built = new TimeSeries()
    .title(title)
    .unit(unit)
    .min(0)
    .height(7)
    .span(8)
    .datasource(datasource)
    .fillOpacity(8)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi));
  queries.forEach(([expression, legend], index) => {
    const refId = String.fromCharCode("A".charCodeAt(0) + index);
    built.withTarget(new DataqueryBuilder().refId(refId).expr(expression).legendFormat(legend).range());
  });
  return built;
}

const choice = (name, label, query) =>
  new QueryVariableBuilder(name)
    .label(label)
    .datasource(datasource)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .allValue(".*");

/** The dashboard as Grafana imports it. */
export function dashboard() {
  const built = new DashboardBuilder("ACS token gateway")
    .uid("acs-token-gateway")
    .tags(["acs-token-gateway"])
    .time({ from: "now-6h", to: "now" })
    .refresh("30s")
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"))
    .withVariable(choice("job", "Job", "label_values(acs_token_gateway_build_info, job)"))
    .withVariable(
      choice("instance", "Instance", 'label_values(acs_token_gateway_build_info{job=~"$job"}, instance)'),
    );
  for (const [title, panels] of Object.entries(rows)) {
    built.withRow(new RowBuilder(title));
    for (const each of panels) built.withPanel(panel(each));
  }
  return built.build();
}
