/** Spans by OpenTelemetry's SDK, without anything that is global to the process. Loaded by `tracing.ts` alone. */
import {
  createTraceState,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type SpanContext,
  type Span as ApiSpan,
  type Tracer,
} from "@opentelemetry/api";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  RandomIdGenerator,
  SamplingDecision,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-node";
import type { Events } from "./events";
import type { Span, SpanOptions } from "./span";
import { SpanOutlet } from "./span-outlet";
import type { TracedRequest, Tracing, TracingOptions } from "./tracing-options";

const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL };
/** The methods that may stand in a span; clients can make up others. */
const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"]);
/** Attributes longer than this are cut. */
const maxValueLength = 256;
/** A traceparent: trace, parent, flags. Versions to come may add to it; the one that there is may not. */
const traceparentForm = /^(?!ff)[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(?:$|(?<!^00.*)-)/;

/** Gives traces the ids that it was decided by whether they are sampled. */
class Ids {
  next = "";
  private readonly random = new RandomIdGenerator();
  readonly generateSpanId = (): string => this.random.generateSpanId();
  readonly newTraceId = (): string => this.random.generateTraceId();
  readonly generateTraceId = (): string => this.next;
}

/** The gateway's traces. Several gateways of one process know nothing of each other's. */
export class SdkTracing implements Tracing {
  private readonly ids = new Ids();
  private readonly outlet: SpanOutlet;
  private readonly tracer: Tracer;
  private readonly samples: (traceId: string) => boolean;
  private readonly asksParent: boolean;

  constructor(options: TracingOptions, events: Pick<Events, "spansLost" | "spansSentAgain">) {
    this.outlet = new SpanOutlet(options, events);
    const provider = new BasicTracerProvider({
      resource: defaultResource().merge(resourceFromAttributes(options.resource)),
      // It has been decided before a span is made.
      sampler: new AlwaysOnSampler(),
      idGenerator: this.ids,
      spanProcessors: [this.outlet],
      // Everything is told here, so that the package reads no variables of its own.
      spanLimits: {
        attributeValueLengthLimit: maxValueLength,
        attributeCountLimit: 64,
        linkCountLimit: 128,
        eventCountLimit: 16,
        attributePerEventCountLimit: 16,
        attributePerLinkCountLimit: 16,
      },
    });
    this.tracer = provider.getTracer("acs-token-gateway", options.resource["service.version"]);
    this.asksParent = options.sampler.startsWith("parentbased_");
    this.samples = decision(options);
  }

  server(request: TracedRequest, route: string): Span | undefined {
    const { traceparent } = request.headers;
    const caller = typeof traceparent === "string" ? traceparentForm.exec(traceparent) : null;
    if (caller) return this.continued(caller, request, route);
    const traceId = this.ids.newTraceId();
    return this.samples(traceId) ? this.begin(serverSpan(request, route), traceId) : undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.outlet[Symbol.asyncDispose]();
  }

  /** A span in the trace of whoever sent the request. */
  private continued(
    [, traceId = "", spanId = "", flags = ""]: RegExpExecArray,
    request: TracedRequest,
    route: string,
  ): Span | undefined {
    const isSampled = (Number.parseInt(flags, 16) & TraceFlags.SAMPLED) !== 0;
    if (!(this.asksParent ? isSampled : this.samples(traceId))) return undefined;
    const { tracestate } = request.headers;
    const parent: SpanContext = {
      traceId,
      spanId,
      traceFlags: TraceFlags.SAMPLED,
      isRemote: true,
      ...(tracestate === undefined ? {} : { traceState: createTraceState(String(tracestate)) }),
    };
    const options = serverSpan(request, route);
    // An id of nothing but zeros is none.
    if (!trace.isSpanContextValid(parent)) return this.begin(options, this.ids.newTraceId());
    return this.start(options, trace.setSpanContext(ROOT_CONTEXT, parent));
  }

  private begin(options: SpanOptions, traceId: string): Span {
    this.ids.next = traceId;
    return this.start(options, ROOT_CONTEXT);
  }

  private start({ name, kind, attributes, links = [] }: SpanOptions, parent: Context): Span {
    const own = links.filter((link) => link instanceof SdkSpan);
    const span = this.tracer.startSpan(
      name,
      {
        kind: kinds[kind],
        ...(attributes === undefined ? {} : { attributes }),
        ...(own.length === 0 ? {} : { links: own.map((link) => ({ context: link.context })) }),
      },
      parent,
    );
    return new SdkSpan(span, this.startPart, this.startAside);
  }

  private readonly startPart = (options: SpanOptions, parent: ApiSpan) =>
    this.start(options, trace.setSpan(ROOT_CONTEXT, parent));

  private readonly startAside = (options: SpanOptions) => this.begin(options, this.ids.newTraceId());
}

class SdkSpan implements Span {
  constructor(
    private readonly span: ApiSpan,
    private readonly startPart: (options: SpanOptions, parent: ApiSpan) => Span,
    private readonly startAside: (options: SpanOptions) => Span,
  ) {}

  get context(): SpanContext {
    return this.span.spanContext();
  }

  get traceId(): string {
    return this.context.traceId;
  }

  child(options: SpanOptions): Span {
    return this.startPart(options, this.span);
  }

  aside(options: SpanOptions): Span {
    return this.startAside({ ...options, links: [this, ...(options.links ?? [])] });
  }

  rename(name: string): void {
    this.span.updateName(name);
  }

  set(name: string, value: string | number | boolean): void {
    this.span.setAttribute(name, value);
  }

  link(other: Span): void {
    if (other instanceof SdkSpan) this.span.addLink({ context: other.context });
  }

  fail(type: string): void {
    this.span.setAttribute("error.type", type);
    this.span.setStatus({ code: SpanStatusCode.ERROR });
  }

  headers(): Record<string, string> {
    const { traceId, spanId, traceState } = this.context;
    const state = traceState?.serialize();
    return { traceparent: `00-${traceId}-${spanId}-01`, ...(state ? { tracestate: state } : {}) };
  }

  end(): void {
    this.span.end();
  }
}

/** Whether a trace that begins here is sampled; without its parent's word, one that began elsewhere too. */
function decision({ sampler, ratio }: TracingOptions): (traceId: string) => boolean {
  if (sampler.endsWith("always_on")) return () => true;
  if (sampler.endsWith("always_off")) return () => false;
  const byRatio = new TraceIdRatioBasedSampler(ratio);
  return (traceId) =>
    byRatio.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED;
}

/** Semantic conventions for HTTP, without what may say who somebody is: neither address nor query nor user agent. */
function serverSpan({ method = "", httpVersion }: TracedRequest, route: string): SpanOptions {
  const known = methods.has(method);
  return {
    name: known ? `${method} ${route}` : `HTTP ${route}`,
    kind: "server",
    attributes: {
      "http.request.method": known ? method : "_OTHER",
      "http.route": route,
      "url.path": route,
      "network.protocol.version": httpVersion,
    },
  };
}
