/** Loads what makes spans, for gateways that trace. */
import type { Events } from "./events";
import type { Tracing, TracingOptions } from "./tracing-options";

/** Loads OpenTelemetry, which a gateway without traces does not pay for, and starts to export. */
export async function startTracing(
  options: TracingOptions,
  events: Pick<Events, "spansLost" | "spansSentAgain">,
): Promise<Tracing> {
  const { SdkTracing } = await import("./tracing-sdk.ts");
  return new SdkTracing(options, events);
}
