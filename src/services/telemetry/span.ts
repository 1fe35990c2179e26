/** A span of a trace, as the parts of the gateway see it: a request that is not sampled has none. */

/** Whose work a span tells of: a request's that came in, one's that went out, or that in between. */
type SpanKind = "server" | "client" | "internal";

/** What is told of a span's work. No value may be a secret, or say who somebody is. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** What a span begins with. */
export interface SpanOptions {
  readonly name: string;
  readonly kind: SpanKind;
  readonly attributes?: SpanAttributes;
  /** Spans, of this trace or others, that have to do with its work. */
  readonly links?: readonly Span[];
}

/** Work that is being traced. Whoever began it ends it, once. */
export interface Span {
  /** 32 hexadecimal digits, under which the log and the audit tell of the same request. */
  readonly traceId: string;
  /** Begins a part of this work. */
  child(options: SpanOptions): Span;
  /** Begins work that this one has caused and does not wait for: a trace of its own, linked to this span. */
  aside(options: SpanOptions): Span;
  rename(name: string): void;
  set(name: string, value: string | number | boolean): void;
  /** Tells that another span has to do with this work. */
  link(other: Span): void;
  /** The work has failed; `type` is a short code or the name of a class, never a message. */
  fail(type: string): void;
  /** The headers (W3C Trace Context) that carry the trace to whoever is asked in this work. */
  headers(): Record<string, string>;
  end(): void;
}

/** Runs `work`, in a part of `parent` if that is traced. `typeOf` names what it failed with. */
export function traced<T>(
  parent: Span | undefined,
  options: SpanOptions,
  work: (span: Span | undefined) => Promise<T>,
  typeOf: (error: unknown) => string = errorType,
): Promise<T> {
  return parent ? during(parent.child(options), work, typeOf) : work(undefined);
}

/** Runs `work`, whose end is the span's. */
export async function during<T>(
  span: Span,
  work: (span: Span) => Promise<T>,
  typeOf: (error: unknown) => string = errorType,
): Promise<T> {
  try {
    return await work(span);
  } catch (error) {
    span.fail(typeOf(error));
    throw error;
  } finally {
    span.end();
  }
}

/** The code of an error, or the name of its class. */
export function errorType(error: unknown): string {
  const { code, reason } = (error ?? {}) as { readonly code?: unknown; readonly reason?: unknown };
  for (const text of [code, reason]) if (typeof text === "string" && /^[\w.-]{1,64}$/.test(text)) return text;
  return error instanceof Error ? error.name : typeof error;
}
