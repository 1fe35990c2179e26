/** Subscriptions: Apollo Server checks them like every operation, graphql-js runs them, and their events go out as server-sent events. */
import { once } from "node:events";
import {
  HeaderMap,
  type HTTPGraphQLRequest,
  type ApolloServerPlugin,
  type BaseContext,
  type GraphQLRequestContextDidResolveOperation,
  type GraphQLRequestListener,
  type GraphQLResponse,
} from "@apollo/server";
import {
  GraphQLError,
  OperationTypeNode,
  subscribe,
  type ExecutionResult,
  type FormattedExecutionResult,
  type GraphQLFormattedError,
  type OperationDefinitionNode,
} from "graphql";
import { print } from "graphql-sse";
import { GatewayError } from "../errors";
import type { Exchange } from "./exchange";

/** The media type of server-sent events (HTML, section 9.2). */
export const eventStreamType = "text/event-stream";

/** Below every usual idle timeout of proxies and load balancers. */
const pingMs = 12_000;

/** Makes of an error what clients may see, as Apollo Server's `formatError` does. */
export type FormatError = (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError;

/** An accepted subscription. */
export interface AcceptedStream {
  /** A result for each event. */
  readonly results: AsyncIterable<ExecutionResult, unknown>;
  /** Ends the results and makes room for another stream. */
  readonly end: () => void;
}

/** Accepts subscriptions, and streams their events. */
export class Subscriptions {
  /** What was accepted and is not yet streamed, by its request: of the context Apollo Server makes a copy. */
  readonly #accepted = new WeakMap<HTTPGraphQLRequest, AcceptedStream>();
  /** Those that are being accepted or streamed: one counts from the moment at which the limit is checked. */
  readonly #open = new Set<() => void>();
  #isOver = false;

  constructor(
    private readonly formatError: FormatError,
    /** Streams at once, of all clients. */
    private readonly maxOpen: number,
  ) {}

  /** For Apollo Server; to come after the plugins that refuse operations. */
  plugin<TContext extends BaseContext>(): ApolloServerPlugin<TContext> {
    const listener: GraphQLRequestListener<TContext> = {
      // Here, and not where a plugin answers, because what is thrown here is answered as any other error.
      didResolveOperation: (request) => (isSubscription(request.operation) ? this.#accept(request) : done),
      responseForOperation: ({ operation }) => (isSubscription(operation) ? accepted() : nothing),
    };
    const started = Promise.resolve(listener);
    return { requestDidStart: () => started };
  }

  async #accept<TContext extends BaseContext>({
    document,
    request,
    contextValue,
    schema,
  }: GraphQLRequestContextDidResolveOperation<TContext>): Promise<void> {
    if (!mayStream(request.http?.headers.get("accept"))) throw notAcceptable();
    if (this.#open.size >= this.maxOpen) throw tooMany();
    let results: AsyncGenerator<ExecutionResult, void, void> | undefined;
    const end = () => {
      this.#open.delete(end);
      void results?.return();
    };
    this.#open.add(end);
    try {
      const result = await subscribe({
        schema,
        document,
        contextValue,
        variableValues: request.variables ?? null,
        operationName: request.operationName ?? null,
        options: { maxCoercionErrors: 1 },
      });
      if (!(Symbol.asyncIterator in result)) {
        throw result.errors?.[0] ?? new Error("graphql-js did not subscribe, and does not say why.");
      }
      results = result;
      if (request.http) this.#accepted.set(request.http, { results, end });
    } catch (error) {
      end();
      throw error;
    }
  }

  /** The stream that the request is to be answered with, if it was an accepted subscription. */
  acceptedFor(request: HTTPGraphQLRequest): AcceptedStream | undefined {
    return this.#accepted.get(request);
  }

  /** Sends every result as an event until there are no more, the client goes, or the streams are ended. */
  async stream(exchange: Exchange, headers: string[], { results, end }: AcceptedStream): Promise<void> {
    const { response } = exchange;
    const iterator = results[Symbol.asyncIterator]();
    const ping = setInterval(() => {
      response.write(":\n\n");
    }, pingMs);
    response.once("close", end);
    try {
      response.writeHead(200, headers);
      // Some browsers do not believe in an answer of which nothing but the head is there.
      response.write(":\n\n");
      if (response.destroyed || this.#isOver) end();
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
        const drained = response.write(nextEvent(this.#presented(next.value)));
        // A client that reads nothing is cut off by the server's own time-out.
        if (!drained) await Promise.race([once(response, "drain"), once(response, "close")]);
      }
      // Nothing happens if the client has gone.
      response.end(print({ event: "complete", data: null }));
    } finally {
      clearInterval(ping);
      response.off("close", end);
      end();
    }
  }

  /** How many streams are open, or about to be. */
  get count(): number {
    return this.#open.size;
  }

  /** Ends all streams, also those that are still to come, and lets their clients know. */
  end(): void {
    this.#isOver = true;
    for (const each of this.#open) each();
  }

  #presented({ errors, ...result }: ExecutionResult): FormattedExecutionResult {
    if (!errors) return result;
    return {
      ...result,
      errors: errors.map((error) => {
        // Apollo Server's word for the status, of which an event has none.
        const extensions = { ...error.extensions, http: undefined };
        return this.formatError({ ...error.toJSON(), extensions }, error);
      }),
    };
  }
}

/** Whether a client would take an event stream. */
function mayStream(accept: string | undefined): boolean {
  return accept?.includes(eventStreamType) ?? false;
}

/** Whether a client would take nothing but an event stream. */
export function mustStream(accept: string | undefined): boolean {
  return mayStream(accept) && !/json|\*\/\*|application\/\*/.test(accept ?? "");
}

/** A single answer as a stream of one event. */
export function asEvents(json: string): string {
  return nextEvent(JSON.parse(json) as FormattedExecutionResult) + print({ event: "complete", data: null });
}

function nextEvent(result: FormattedExecutionResult): string {
  // The library's type wants errors as they were thrown; what it prints is JSON.
  return print({ event: "next", data: result as ExecutionResult });
}

/** Apollo Server asks about an operation that it has not found, too, whatever its types say. */
function isSubscription(operation: OperationDefinitionNode | undefined): boolean {
  return operation?.operation === OperationTypeNode.SUBSCRIPTION;
}

/** For the plugin's hooks, which every operation passes. */
const done = Promise.resolve();
const nothing = Promise.resolve(null);

/** In the place of an answer, which the events will be. */
function accepted(): Promise<GraphQLResponse> {
  const http = { headers: new HeaderMap() } as GraphQLResponse["http"];
  return Promise.resolve({ http, body: { kind: "single", singleResult: { data: null } } });
}

function notAcceptable(): GraphQLError {
  return new GraphQLError(`Subscriptions are answered with events: send Accept: ${eventStreamType}.`, {
    extensions: { code: "BAD_REQUEST", http: { status: 406 } },
  });
}

function tooMany(): GatewayError {
  return new GatewayError("RATE_LIMITED", "This gateway has as many streams open as it may. Try again.", {
    retryAfterSeconds: 5,
  });
}
