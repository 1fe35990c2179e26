/** A receiver of traces (OTLP over HTTP, JSON), which can be slow, refuse, or say nothing at all. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A span as it was received. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  /** OTLP's numbers: 1 internal, 2 server, 3 client. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly failed: boolean;
  readonly traceState: string | undefined;
  /** Of the gateway that sent it. */
  readonly resource: Readonly<Record<string, unknown>>;
}

/** What it does with a batch: takes it, answers with another status, or never answers. */
export type Manner = "take" | "hang" | number;

export interface OtlpReceiver extends AsyncDisposable {
  /** Without a path. */
  readonly url: string;
  readonly port: number;
  readonly spans: readonly ReceivedSpan[];
  /** Everything that was received, headers and all. */
  readonly text: string;
  /** The content types of the batches. */
  readonly types: ReadonlySet<string>;
  readonly batches: number;
  manner: Manner;
  /** The spans of a trace. */
  trace(traceId: string): readonly ReceivedSpan[];
}

export async function startReceiver(port = 0): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const types = new Set<string>();
  let [text, batches] = ["", 0];
  let manner: Manner = "take";
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      batches += 1;
      const body = Buffer.concat(pieces);
      text += JSON.stringify(request.headers) + body.toString("latin1");
      if (manner === "hang") return;
      if (typeof manner === "number") {
        response.writeHead(manner).end();
        return;
      }
      const type = request.headers["content-type"] ?? "";
      types.add(type);
      if (type === "application/json") spans.push(...decoded(body.toString()));
      response.writeHead(200, { "content-type": type }).end(type === "application/json" ? "{}" : "");
    });
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  const { port: taken } = server.address() as AddressInfo;
  return {
    port: taken,
    url: `http://127.0.0.1:${taken}`,
    spans,
    types,
    get text() {
      return text;
    },
    get batches() {
      return batches;
    },
    get manner() {
      return manner;
    },
    set manner(value) {
      manner = value;
    },
    trace: (traceId) => spans.filter((span) => span.traceId === traceId),
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

interface Value {
  readonly stringValue?: string;
  readonly intValue?: number | string;
  readonly boolValue?: boolean;
  readonly doubleValue?: number;
}

type Attributes = readonly { readonly key: string; readonly value: Value }[];

interface Batch {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Attributes };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Pick<ReceivedSpan, "traceId" | "spanId" | "name" | "kind"> & {
        readonly parentSpanId?: string;
        readonly traceState?: string;
        readonly attributes: Attributes;
        readonly links: ReceivedSpan["links"];
        readonly status: { readonly code?: number; readonly message?: string };
      })[];
    }[];
  }[];
}

function decoded(text: string): ReceivedSpan[] {
  return (JSON.parse(text) as Batch).resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap((scope) =>
      scope.spans.map(({ traceId, spanId, parentSpanId, name, kind, traceState, ...span }) => ({
        traceId,
        spanId,
        parentSpanId,
        name,
        kind,
        traceState,
        attributes: valuesOf(span.attributes),
        links: span.links.map((link) => ({ traceId: link.traceId, spanId: link.spanId })),
        failed: span.status.code === 2,
        resource: valuesOf(resource.attributes),
      })),
    ),
  );
}

function valuesOf(attributes: Attributes): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ?? value.boolValue ?? Number(value.intValue ?? value.doubleValue),
    ]),
  );
}

/** A trace as an indented outline of names, in the order of their beginning as far as parents tell. */
export function outline(spans: readonly ReceivedSpan[], parent?: string): string[] {
  return spans
    .filter(({ parentSpanId }) => parentSpanId === parent)
    .flatMap(({ name, spanId }) => [name, ...outline(spans, spanId).map((line) => `  ${line}`)]);
}
