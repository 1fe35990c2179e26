/** What is traced, and where spans go. */
import type { Span } from "./span";

/** Which requests are sampled, as OpenTelemetry names it. */
export const samplerNames = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;
/** One of {@link samplerNames}. */
type SamplerName = (typeof samplerNames)[number];

/** The share of traces that are kept unless it is said otherwise. */
export const defaultRatio = 0.05;

/** The forms in which spans are sent (OTLP over HTTP). */
export const otlpProtocols = ["http/protobuf", "http/json"] as const;

/** Where traces go, and which. */
export interface TracingOptions {
  /** The whole URL that spans are posted to. */
  readonly endpoint: string;
  readonly protocol: (typeof otlpProtocols)[number];
  /** Sent along; they may hold credentials. */
  readonly headers: Readonly<Record<string, string>>;
  readonly sampler: SamplerName;
  /** Of the traces that begin here, for samplers of a ratio: 0 to 1. */
  readonly ratio: number;
  /** How long a span waits for others to be sent with, in milliseconds. */
  readonly delayMs: number;
  /** What tells the spans of this gateway from others'. */
  readonly resource: Readonly<Record<string, string>>;
}

/** A request, as far as its trace depends on it. */
export interface TracedRequest {
  readonly method?: string | undefined;
  readonly httpVersion: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Makes the spans of requests. Disposing of it sends what is left, within two seconds. */
export interface Tracing extends AsyncDisposable {
  /** The span of a request to a route; undefined when the request is not sampled. Its caller ends it. */
  server(request: TracedRequest, route: string): Span | undefined;
}
