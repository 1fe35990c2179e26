/** Starts the HTTP room in front of a small schema of its own, and speaks raw HTTP to it. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { ApolloServer, type ApolloServerPlugin } from "@apollo/server";
import { ApolloServerPluginLandingPageDisabled } from "@apollo/server/plugin/disabled";
import { buildSchema } from "graphql";
import { HttpServer, type HttpOptions, type HttpParts } from "../../../src/server/http-server";
import type { Health } from "../../../src/server/operational-routes";
import type { Page } from "../../../src/server/page";
import { Subscriptions } from "../../../src/server/subscriptions";
import { httpOptions } from "../../support/http-options";
import { recordEvents, type RecordedEvents } from "../../support/recorded-events";

/** What a resolver of the small schema sees. */
export interface SmallContext {
  readonly id: string;
  readonly signal: AbortSignal;
  /** Asked only when a field wants it. */
  readonly address: string;
}

export interface SmallWorldOptions {
  readonly http?: Partial<HttpOptions>;
  /** False: built, but never started. */
  readonly listen?: boolean;
  readonly pages?: readonly Page[];
  readonly health?: Health;
  readonly plugins?: ApolloServerPlugin<SmallContext>[];
  /** Thrown while the context is made. */
  readonly contextError?: () => unknown;
  /** Fields of the root, by name. */
  readonly fields?: Readonly<Record<string, (context: SmallContext) => unknown>>;
}

const schema = buildSchema(`
  type Query { hello: String, echo(text: String!): String, field(name: String!): String, required(name: String!): String! }
  type Mutation { touch: String }
`);

/** The error that services throw: plain `extensions`, no GraphQL class. */
export function plainError(message: string, extensions: object): Error {
  return Object.assign(new Error(message), { extensions });
}

/** A server, listening on a port of its own, with everything it reported. */
export class SmallWorld implements AsyncDisposable {
  faults: { error: unknown; requestId: string }[] = [];

  private constructor(
    readonly server: HttpServer<SmallContext>,
    readonly apollo: ApolloServer<SmallContext>,
    readonly events: RecordedEvents,
  ) {}

  url = "";
  port = 0;

  static async start(options: SmallWorldOptions = {}): Promise<SmallWorld> {
    const call = (name: string, context: SmallContext): unknown => options.fields?.[name]?.(context) ?? null;
    const apollo = new ApolloServer<SmallContext>({
      schema,
      rootValue: {
        hello: "world",
        touch: "touched",
        echo: ({ text }: { text: string }) => text,
        field: ({ name }: { name: string }, context: SmallContext) => call(name, context),
        required: ({ name }: { name: string }, context: SmallContext) => call(name, context),
      },
      plugins: options.plugins ?? [ApolloServerPluginLandingPageDisabled()],
      includeStacktraceInErrorResponses: false,
      stopOnTerminationSignals: false,
    });
    await apollo.start();
    const faults: SmallWorld["faults"] = [];
    const events = recordEvents();
    const parts: HttpParts<SmallContext> = {
      apollo,
      subscriptions: new Subscriptions((formatted) => formatted, 10),
      events,
      context: (_request, info) => {
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
        if (options.contextError !== undefined) return Promise.reject(options.contextError());
        return Promise.resolve({
          id: info.id,
          signal: info.signal,
          get address() {
            return info.address;
          },
        });
      },
      health: options.health ?? { ready: () => Promise.resolve({ status: "ready", parts: {} }) },
      pages: options.pages ?? [],
      onError: (error, requestId) => {
        faults.push({ error, requestId });
        return "the-error-id";
      },
    };
    const server = new HttpServer<SmallContext>({ ...httpOptions, ...options.http }, parts);
    const world = new SmallWorld(server, apollo, events);
    world.faults = faults;
    if (options.listen !== false) ({ url: world.url, port: world.port } = await server.start());
    return world;
  }

  /** Posts a body to /graphql. A string is sent as it is. */
  post(body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
    });
  }

  /** Sends bytes on a bare connection and returns all that comes back until the server closes it. */
  async raw(bytes: string | Uint8Array): Promise<string> {
    const socket = await this.connect();
    socket.write(bytes);
    return readToEnd(socket);
  }

  /** A bare connection. */
  async connect(): Promise<Socket> {
    const socket = connect({ port: this.port, host: "127.0.0.1" });
    await once(socket, "connect");
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
    await this.apollo.stop();
  }
}

/** Everything a socket receives until it is closed, also by a reset. */
export async function readToEnd(socket: Socket): Promise<string> {
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  socket.on("error", () => undefined);
  // Not node:events' once, which an error would reject.
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
  return text;
}

/** The parsed GraphQL answer. */
export async function answerOf(response: Response): Promise<GraphqlAnswer> {
  return (await response.json()) as GraphqlAnswer;
}

/** A GraphQL answer as a client sees it. */
export interface GraphqlAnswer {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly { readonly message: string; readonly extensions: Record<string, unknown> }[];
}
