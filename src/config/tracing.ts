/** OpenTelemetry's own variables as what the gateway traces with. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../package-root";
import type { TracingOptions } from "../services/telemetry/tracing-options";
import type { Variables } from "./variables";

/** What to trace with; undefined when no receiver is named, or tracing is turned off. */
export function toTracing(v: Variables): TracingOptions | undefined {
  const base = v.OTEL_EXPORTER_OTLP_ENDPOINT?.replace(/(?<!\/)\/*$/, "/");
  const endpoint = v.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? (base && `${base}v1/traces`);
  if (endpoint === undefined || v.OTEL_SDK_DISABLED || v.OTEL_TRACES_EXPORTER === "none") return undefined;
  return {
    endpoint: new URL(endpoint).href,
    protocol:
      v.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? v.OTEL_EXPORTER_OTLP_PROTOCOL ?? ("http/protobuf" as const),
    headers: { ...v.OTEL_EXPORTER_OTLP_HEADERS, ...v.OTEL_EXPORTER_OTLP_TRACES_HEADERS },
    sampler: v.OTEL_TRACES_SAMPLER,
    ratio: v.OTEL_TRACES_SAMPLER_ARG,
    delayMs: v.OTEL_BSP_SCHEDULE_DELAY,
    resource: {
      "service.name": "acs-token-gateway",
      "service.version": version(),
      // Replicas are told apart by it.
      "service.instance.id": randomUUID(),
      ...v.OTEL_RESOURCE_ATTRIBUTES,
      ...(v.OTEL_SERVICE_NAME === undefined ? {} : { "service.name": v.OTEL_SERVICE_NAME }),
    },
  };
}

function version(): string {
  const text = readFileSync(join(packageRoot(), "package.json"), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}
