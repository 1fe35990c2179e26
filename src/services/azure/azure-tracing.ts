/** Puts the Azure SDK's own spans into the trace of the request that a call is made for. The only importer of core-tracing. */
import {
  useInstrumenter,
  type Instrumenter,
  type OperationTracingOptions,
  type TracingContext,
  type TracingSpan,
} from "@azure/core-tracing";
import { errorType, type Span, type SpanAttributes } from "../telemetry/span";

/** What the SDK is told with a call, besides when to give up. */
export interface AzureCallOptions {
  readonly abortSignal: AbortSignal;
  readonly tracingOptions?: OperationTracingOptions;
}

/** The options of a call that is made for `span`'s work. */
export function azureCallOptions(abortSignal: AbortSignal, span: Span | undefined): AzureCallOptions {
  return span ? { abortSignal, tracingOptions: { tracingContext: new Carrier(span) } } : { abortSignal };
}

/**
 * Has the SDK tell of its work. It knows one instrumenter per process, so this one knows no gateway: each call brings
 * the span that it belongs to, and a call without one is not traced.
 */
export function traceAzureCalls(): void {
  useInstrumenter(instrumenter);
}

/** The SDK's context of a call, with the span that it is in. */
class Carrier implements TracingContext {
  constructor(
    readonly span: Span | undefined,
    private readonly values: ReadonlyMap<symbol, unknown> = new Map(),
  ) {}

  getValue(key: symbol): unknown {
    return this.values.get(key);
  }

  setValue(key: symbol, value: unknown): TracingContext {
    return new Carrier(this.span, new Map(this.values).set(key, value));
  }

  deleteValue(key: symbol): TracingContext {
    const values = new Map(this.values);
    values.delete(key);
    return new Carrier(this.span, values);
  }

  within(span: Span): TracingContext {
    return new Carrier(span, this.values);
  }
}

const untraced = new Carrier(undefined);

const nothing: TracingSpan = {
  setStatus: () => undefined,
  setAttribute: () => undefined,
  end: () => undefined,
  recordException: () => undefined,
  isRecording: () => false,
};

const instrumenter: Instrumenter = {
  startSpan: (name, { tracingContext, spanKind, spanAttributes = {} }) => {
    const context = tracingContext instanceof Carrier ? tracingContext : untraced;
    if (!context.span) return { span: nothing, tracingContext: tracingContext ?? untraced };
    const isHttp = name.startsWith("HTTP ");
    const span = context.span.child({
      // The conventions of today, where the SDK has those of 2021.
      name: isHttp ? name.slice("HTTP ".length) : name,
      kind: spanKind === "client" && isHttp ? "client" : "internal",
      attributes: told(spanAttributes),
    });
    return { span: new AzureSpan(span), tracingContext: context.within(span) };
  },
  withContext: (_context, callback, ...args) => callback(...args),
  parseTraceparentHeader: () => undefined,
  createRequestHeaders: (context) => (context instanceof Carrier ? (context.span?.headers() ?? {}) : {}),
};

/** One of ours in the SDK's form. */
class AzureSpan implements TracingSpan {
  private answer = "NO_ANSWER";

  constructor(private readonly span: Span) {}

  setStatus(status: Parameters<TracingSpan["setStatus"]>[0]): void {
    if (status.status !== "error") return;
    this.span.fail(status.error === undefined ? this.answer : errorType(status.error));
  }

  setAttribute(name: string, value: unknown): void {
    if (name === "http.status_code") this.answer = String(value);
    for (const [ours, text] of Object.entries(told({ [name]: value }))) this.span.set(ours, text);
  }

  /** A message may have the request in it, and with it an identity. */
  recordException(): void {
    // Its code is told with the status.
  }

  isRecording(): boolean {
    return true;
  }

  end(): void {
    this.span.end();
  }
}

/** What is told of the SDK's attributes, and as what. Anything else is left out: a URL has the identity in it. */
const names: Readonly<Record<string, string>> = {
  "http.method": "http.request.method",
  "http.status_code": "http.response.status_code",
  "http.url": "server.address",
  "az.namespace": "azure.resource_provider.namespace",
  requestId: "azure.client.request.id",
  serviceRequestId: "azure.service.request.id",
};

function told(attributes: Readonly<Record<string, unknown>>): SpanAttributes {
  const found: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(attributes)) {
    const ours = names[name];
    if (ours === undefined || (typeof value !== "string" && typeof value !== "number") || value === "")
      continue;
    if (name !== "http.url") found[ours] = value;
    else if (URL.canParse(String(value))) found[ours] = new URL(String(value)).hostname;
  }
  return found;
}
