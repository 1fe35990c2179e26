/** A world whose gateways are traced, and callers who bring traces along. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, request as send } from "node:http";
import type { AddressInfo } from "node:net";
import { ClosingList } from "../../src/closing-list";
import type { Environment } from "../../src/config";
import type { GraphqlClient } from "./graphql-client";
import { startWorld, type RunningGateway, type World } from "./world";
import { startReceiver, type OtlpReceiver } from "./otlp-receiver";

export interface TracedWorld extends AsyncDisposable {
  /** Its own gateway is not traced. */
  readonly world: World;
  readonly gateways: readonly RunningGateway[];
  /** Of the first of them. */
  readonly client: GraphqlClient;
  readonly receiver: OtlpReceiver;
  /** The traceparent of each request that Azure's stand-in was sent; undefined of those without. */
  readonly azureSaw: readonly (string | undefined)[];
}

/** The variables that send traces to `receiver`. */
export const tracedTo = ({ url }: Pick<OtlpReceiver, "url">) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: url,
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  OTEL_BSP_SCHEDULE_DELAY: "50",
});

/** As many traced gateways as `traced` says, on one Redis. */
export async function startTracedWorld({
  traced = 1,
  environment = {},
}: {
  readonly traced?: number;
  readonly environment?: Environment;
} = {}): Promise<TracedWorld> {
  const parts = new ClosingList();
  const receiver = parts.add(await startReceiver());
  const world = parts.add(await startWorld({ redis: true }));
  const azureSaw: (string | undefined)[] = [];
  // In front of the emulator, because what it is sent is of interest.
  const front = createServer((request, response) => {
    azureSaw.push(request.headers.traceparent as string | undefined);
    const { method, url: path, headers } = request;
    const onward = send({ host: "127.0.0.1", port: world.emulator.port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  }).listen(0, "127.0.0.1");
  await once(front, "listening");
  const { port } = front.address() as AddressInfo;
  const gateways: RunningGateway[] = [];
  while (gateways.length < traced) {
    gateways.push(
      await world.addGateway({
        ...tracedTo(receiver),
        ACS_CONNECTION_STRING: world.emulator.connectionString.replace(
          `:${world.emulator.port}/`,
          `:${port}/`,
        ),
        ...environment,
      }),
    );
  }
  return {
    world,
    gateways,
    client: gateways[0]!.client,
    receiver,
    azureSaw,
    [Symbol.asyncDispose]: async () => {
      await parts[Symbol.asyncDispose]();
      front.close();
      front.closeAllConnections();
    },
  };
}

/** A caller's trace. */
export interface CallersTrace {
  readonly traceId: string;
  readonly spanId: string;
  readonly headers: Readonly<Record<string, string>>;
}

export function newTrace(flags = "01", tracestate?: string): CallersTrace {
  const [traceId, spanId] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
  const headers = { traceparent: `00-${traceId}-${spanId}-${flags}`, ...(tracestate ? { tracestate } : {}) };
  return { traceId, spanId, headers };
}

/** Sends a document in a trace of its own. */
export async function sendTraced(
  client: GraphqlClient,
  document: { toString(): string },
  variables?: Record<string, unknown>,
  trace = newTrace(),
) {
  const answer = await client.send(document.toString(), variables, { headers: trace.headers });
  return { ...answer, trace };
}
