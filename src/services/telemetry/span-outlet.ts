/** Sends ended spans by OTLP over HTTP, some at a time: whatever the receiver does, no request waits and memory is bounded. */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace-node";
import type { Events } from "./events";
import { sleep } from "../sleep";
import type { TracingOptions } from "./tracing-options";

/** Spans that wait to be sent; any more are dropped. */
const maxQueue = 2_048;
const batchSize = 512;
/** Of one batch with all its attempts, in milliseconds. */
const exportMs = 5_000;
/** How long closing waits for what is left, in milliseconds. */
const closeMs = 2_000;

/** How an export ended, in the SDK's words. */
type Result = Parameters<Parameters<SpanExporter["export"]>[1]>[0];

/** A queue with one exporter behind it. */
export class SpanOutlet implements SpanProcessor, AsyncDisposable {
  private readonly agent: HttpAgent;
  private readonly batches: BatchSpanProcessor;
  private waiting = 0;
  /** Since the receiver last took any. */
  private lost = 0;

  constructor(
    { endpoint, protocol, headers, delayMs }: TracingOptions,
    private readonly events: Pick<Events, "spansLost" | "spansSentAgain">,
  ) {
    this.agent = new (endpoint.startsWith("https:") ? HttpsAgent : HttpAgent)({ keepAlive: true });
    const Exporter = protocol === "http/json" ? JsonExporter : ProtobufExporter;
    const exporter = new Exporter({
      url: endpoint,
      headers: { ...headers },
      timeoutMillis: exportMs,
      // Room for all that waits, when it is sent at the end.
      concurrencyLimit: 2 * (maxQueue / batchSize),
      httpAgentOptions: () => this.agent,
    });
    this.batches = new BatchSpanProcessor(this.watched(exporter), {
      maxQueueSize: maxQueue,
      maxExportBatchSize: batchSize,
      scheduledDelayMillis: delayMs,
      // Longer than the exporter's own, so that there is one batch under way and no more.
      exportTimeoutMillis: exportMs + 1_000,
    });
  }

  onStart(): void {
    // Nothing is told of what has not ended.
  }

  onEnd(span: ReadableSpan): void {
    if (this.waiting >= maxQueue) {
      this.lose(1, "QUEUE_FULL");
      return;
    }
    this.waiting += 1;
    this.batches.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.batches.forceFlush();
  }

  shutdown(): Promise<void> {
    return this[Symbol.asyncDispose]();
  }

  /** Sends what is left, and gives up what the receiver does not take in time. */
  async [Symbol.asyncDispose](): Promise<void> {
    const patience = new AbortController();
    const left = this.batches.shutdown().catch(() => undefined);
    await Promise.race([left, sleep(closeMs, patience.signal).catch(() => undefined)]);
    patience.abort();
    this.agent.destroy();
  }

  /** The exporter, which tells what becomes of its batches. */
  private watched(exporter: SpanExporter): SpanExporter {
    return {
      export: (spans, done) => {
        this.waiting -= spans.length;
        exporter.export(spans, (result) => {
          if (succeeded(result)) this.sent();
          else this.lose(spans.length, reasonOf(result.error));
          done(result);
        });
      },
      shutdown: () => exporter.shutdown(),
    };
  }

  private lose(count: number, reason: string): void {
    if (this.lost === 0) this.events.spansLost(reason);
    this.lost += count;
  }

  private sent(): void {
    if (this.lost === 0) return;
    this.events.spansSentAgain({ lost: this.lost });
    this.lost = 0;
  }
}

function succeeded({ code }: Result): boolean {
  // `ExportResultCode.SUCCESS`, of a package that is not otherwise needed.
  return (code as number) === 0;
}

/** A short code: the receiver's status, or the socket's. Messages may hold the URL, which may hold a key. */
function reasonOf(error: Error | undefined): string {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  if (typeof code === "number") return `HTTP_${code}`;
  return typeof code === "string" && /^\w{1,64}$/.test(code) ? code : "NO_ANSWER";
}
