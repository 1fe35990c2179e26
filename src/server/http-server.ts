/** The door: listens, routes each request to /graphql, the health checks or a page, and drains before it closes. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import { Server as NetServer, type AddressInfo, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { BaseContext } from "@apollo/server";
import { GatewayError } from "../errors";
import type { Events } from "../services/telemetry/events";
import type { CountedRoute } from "../services/telemetry/metrics/metrics";
import type { Span } from "../services/telemetry/span";
import type { Tracing } from "../services/telemetry/tracing-options";
import { answerBrokenRequest, refuseOnSocket } from "./broken-requests";
import { clientAddress } from "./client-address";
import { Cors, type CorsOrigins } from "./cors";
import { Exchange, type Answered, type ExchangeSurroundings } from "./exchange";
import { GraphqlRoute, type GraphqlOptions, type GraphqlParts, type OperationMetrics } from "./graphql-route";
import { HttpRefusal, refusalBody } from "./http-refusal";
import { OperationalRoutes, type Health } from "./operational-routes";
import { isRefusal } from "./outcomes";
import { Outbox } from "./outbox";
import type { Page } from "./page";
import { ClientGone, declaresTooMuch } from "./request-body";
import { responseHeaders } from "./response-headers";
import {
  readTlsFiles,
  secureContextOf,
  WatchedTlsFiles,
  type TlsEvents,
  type TlsFiles,
  type TlsPair,
} from "./tls-files";

/** Where and within which limits the server listens. */
export interface HttpOptions extends GraphqlOptions {
  /** Name or address to listen on: `127.0.0.1`, `0.0.0.0`, `::`. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Web origins that may call from a browser. Empty: none, and no CORS header at all. */
  readonly corsOrigins: CorsOrigins;
  /** Proxies whose `x-forwarded-for` is believed; none when left out. */
  readonly trustedProxies?: readonly string[];
  /** The certificate to serve TLS with, and its key; plain HTTP when left out. */
  readonly tls?: TlsFiles | undefined;
  /** A request, body included, must have arrived within this time. */
  readonly requestTimeoutMs: number;
  /** Its headers must have arrived within this time. Counts only if shorter than `requestTimeoutMs`. */
  readonly headersTimeoutMs: number;
  /** An idle connection is closed after this time. */
  readonly keepAliveTimeoutMs: number;
  /**
   * A client that takes nothing of its answer is cut when nothing has moved on its connection for this time and that of
   * an operation together; 30 seconds when left out.
   */
  readonly writeTimeoutMs?: number;
  /**
   * Connections at once; any more are closed as they come. Before it comes to that, those that wait for a next request
   * make room. No limit when left out.
   */
  readonly maxConnections?: number;
  /** Requests in flight when closing may take this long before their connections are cut. */
  readonly drainTimeoutMs: number;
}

/** What the server serves. */
export interface HttpParts<TContext extends BaseContext> extends GraphqlParts<TContext> {
  readonly health: Health;
  /** Asked in order, after /graphql and the health checks. */
  readonly pages?: readonly Page[];
  /** Told of faults of this process. Returns the id under which the log tells the cause; the client is shown it. */
  readonly onError: (error: unknown, requestId: string) => string;
  /** Told of each request that is answered, before its answer is sent. */
  readonly onAnswer?: (answered: Answered) => void;
  /** Called before answers are sent, once for all that are sent together. */
  readonly beforeAnswers?: () => void;
  /** Called after that, before each answer with data that the audit tells of. Throws when it must not be sent. */
  readonly audited?: () => void;
  readonly events: TlsEvents & Pick<Events, "proxyNotTrusted">;
  /** Where requests are counted. */
  readonly metrics?: OperationMetrics & {
    requestEnded(route: CountedRoute, status: string): void;
  };
  /** Traces requests to /graphql; without it none are. */
  readonly tracing?: Pick<Tracing, "server"> | undefined;
}

/** Where GraphQL is served. */
export const graphqlPath = "/graphql";

/** URL and headers together, in bytes. */
const maxHeaderBytes = 16 * 1024;

/** Requests of one connection that are unanswered: clients that send without waiting at all have few, and a flood has more. */
const maxUnanswered = 100;

/** The part of the connections allowed that may be taken before idle ones make room. */
const crowded = 0.9;

/** What is known of a connection. */
class Connection {
  /** The last response begun on it. */
  last: ServerResponse | undefined;
  /** Responses that are not over: nearly always one. */
  readonly open: ServerResponse[] = [];

  constructor(readonly socket: Duplex) {}
}

/** The HTTP server of one gateway. */
export class HttpServer<TContext extends BaseContext> {
  readonly #server: Server | TlsServer;
  readonly #tls: { readonly files: TlsFiles; readonly pair: TlsPair } | undefined;
  readonly #around: ExchangeSurroundings;
  readonly #cors: Cors;
  readonly #graphql: GraphqlRoute<TContext>;
  readonly #health: Page;
  readonly #pages: readonly Page[];
  readonly #connections = new WeakMap<Duplex, Connection>();
  /** All that are open. Node does not close those whose TLS handshake is not over. */
  readonly #sockets = new Set<Socket>();
  /** Connections that have been answered and wait for a next request; the first has waited longest. */
  readonly #idle = new Set<Connection>();
  /** How many have been made to give way, and are open still. */
  #leaving = 0;
  #watched: WatchedTlsFiles | undefined;
  #draining = false;
  #inFlight = 0;
  #onIdle: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  /** Throws `TlsUnusable` when TLS is asked for, and its files do not make a pair. */
  constructor(
    private readonly options: HttpOptions,
    private readonly parts: HttpParts<TContext>,
  ) {
    const { health, pages = [], onError } = parts;
    this.#tls = options.tls && { files: options.tls, pair: readTlsFiles(options.tls) };
    const closing = () => this.#draining;
    const headers = responseHeaders(this.#tls !== undefined);
    const addressOf = clientAddress(options.trustedProxies ?? [], parts.events.proxyNotTrusted);
    const outbox = new Outbox(parts.beforeAnswers ?? (() => undefined));
    const refuse = (exchange: Exchange, error: unknown) => {
      this.#refuse(exchange, error);
    };
    const onAnswer = parts.onAnswer ?? (() => undefined);
    this.#around = { closing, headers, addressOf, outbox, refuse, onAnswer, audited: parts.audited };
    this.#cors = new Cors(options.corsOrigins);
    this.#graphql = new GraphqlRoute(parts, this.#cors, options);
    this.#health = new OperationalRoutes(health, closing, (error) => {
      onError(error, "health");
    });
    this.#pages = [this.#health, ...pages];
    const headersTimeout = Math.min(options.headersTimeoutMs, options.requestTimeoutMs);
    const serverOptions = {
      headersTimeout,
      requestTimeout: options.requestTimeoutMs,
      keepAliveTimeout: options.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.max(50, Math.min(5_000, headersTimeout / 4)),
      maxHeaderSize: maxHeaderBytes,
      // Node would refuse a request without Host in a form of its own.
      requireHostHeader: false,
    };
    this.#server = this.#tls
      ? this.#createTlsServer(this.#tls.pair, { ...serverOptions, handshakeTimeout: headersTimeout })
      : createServer(serverOptions);
    this.#server.timeout = (options.operationTimeoutMs ?? 30_000) + (options.writeTimeoutMs ?? 30_000);
    if (options.maxConnections !== undefined) this.#server.maxConnections = options.maxConnections;
    this.#server.on("connection", this.#admit);
    this.#server.on("drop", this.#makeRoom);
    this.#server.on("request", this.#serve);
    this.#server.on("connect", (_request, socket) => {
      socket.on("error", () => undefined);
      const refusal = new HttpRefusal("METHOD_NOT_ALLOWED", "This server is no proxy.");
      if (this.#connectionOf(socket).open.length > 0) socket.destroy();
      else refuseOnSocket(socket, refusal, "Method Not Allowed", headers);
      parts.metrics?.requestRefused(refusal.code);
    });
    this.#server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      if (declaresTooMuch(request, options.bodyLimitBytes)) {
        // Nobody can tell whether the client, refused, sends its body or its next request.
        response.shouldKeepAlive = false;
      } else response.writeContinue();
      this.#serve(request, response);
    });
    this.#server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
      const refusal = new HttpRefusal(
        "EXPECTATION_FAILED",
        "The only expectation that can be met is 100-continue.",
      );
      this.#refuse(new Exchange(request, response, this.#around), refusal);
    });
    this.#server.on("clientError", (error: Error, socket) => {
      const refused = answerBrokenRequest(error, socket, this.#connections.get(socket)?.last, headers);
      if (refused) parts.metrics?.requestRefused(refused);
    });
  }

  #createTlsServer(pair: TlsPair, options: Parameters<typeof createTlsServer>[0]): TlsServer {
    const server = createTlsServer({ ...options, ...secureContextOf(pair) });
    // Node's own listener passes it on as a broken request; whoever does not speak TLS cannot be answered.
    server.removeAllListeners("tlsClientError").on("tlsClientError", (_error, socket) => {
      socket.destroy();
    });
    return server;
  }

  readonly #admit = (socket: Socket): void => {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    this.#makeRoom();
  };

  /** Asked whenever there is one more: a connection that has come, was turned away, or has become idle. */
  readonly #makeRoom = (): void => {
    const { maxConnections = Infinity } = this.options;
    if (this.#sockets.size - this.#leaving <= maxConnections * crowded) return;
    const [longest] = this.#idle;
    if (!longest) return;
    this.#idle.delete(longest);
    this.#leaving++;
    longest.socket.once("close", () => this.#leaving--).destroy();
  };

  /**
   * Starts to listen.
   * @returns the base URL, without a slash at its end (`localhost` stands for every address), and the port.
   * @throws Node's own error (`EADDRINUSE`, `EACCES`, `ENOTFOUND` …).
   */
  start(): Promise<{ readonly url: string; readonly port: number }> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host: this.options.host, port: this.options.port }, () => {
        this.#server.off("error", reject);
        const { address, family, port } = this.#server.address() as AddressInfo;
        const everywhere = address === "0.0.0.0" || address === "::";
        const host = everywhere ? "localhost" : family === "IPv6" ? `[${address}]` : address;
        this.#watchTlsFiles();
        resolve({ url: `${this.#tls ? "https" : "http"}://${host}:${port}`, port });
      });
    });
  }

  #watchTlsFiles(): void {
    const server = this.#server;
    if (!this.#tls || !("setSecureContext" in server)) return;
    const { pair, files } = this.#tls;
    this.#watched = new WatchedTlsFiles(pair, files, this.parts.events, (changed) => {
      server.setSecureContext(secureContextOf(changed));
    });
  }

  /** The health checks, for another port. */
  get healthPage(): Page {
    return this.#health;
  }

  /** How busy it is. */
  get load(): { readonly requestsInFlight: number; readonly connections: number } {
    return { requestsInFlight: this.#inFlight, connections: this.#sockets.size };
  }

  /** From now on /health/ready says 503 and each answer is its connection's last; everything is still served. */
  drain(): void {
    this.#draining = true;
  }

  /**
   * Stops accepting connections, lets requests in flight finish, and cuts what is left after `drainTimeoutMs`.
   * May be called again, and before `start`.
   */
  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.drain();
    const unwatched = this.#watched?.[Symbol.asyncDispose]();
    const closed = new Promise<void>((resolve) => {
      // Not HTTP's own way to close, which cuts idle connections at once. The only error is that it does not listen.
      NetServer.prototype.close.call(this.#server, () => {
        resolve();
      });
    });
    // What has arrived by now on a connection that looks idle is read in the meantime, and answered.
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    this.#server.closeIdleConnections();
    // A stream would last for as long as its client is there.
    this.parts.subscriptions.end();
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      if (this.#inFlight === 0) resolve();
    });
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.options.drainTimeoutMs);
    });
    await Promise.race([idle, timeout]);
    clearTimeout(timer);
    // With nothing in flight, what is left is idle or has sent half a request.
    this.#server.closeAllConnections();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    // HTTP's own way, for what else it ends.
    this.#server.close();
    await unwatched;
  }

  readonly #serve = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    const connection = this.#connectionOf(socket);
    if (connection.open.length >= maxUnanswered) {
      socket.destroy();
      return;
    }
    connection.last = response;
    connection.open.push(response);
    this.#idle.delete(connection);
    this.#inFlight++;
    const exchange = new Exchange(request, response, this.#around);
    const { tracing } = this.parts;
    const span = tracing && exchange.path === graphqlPath ? tracing.server(request, graphqlPath) : undefined;
    exchange.span = span;
    const done = (): void => {
      if (span) endRequest(span, response);
      connection.open.splice(connection.open.indexOf(response), 1);
      if (connection.open.length === 0 && !socket.destroyed) {
        this.#idle.add(connection);
        this.#makeRoom();
      }
      // Who had gone before there was an answer has seen no status.
      const status = response.headersSent ? String(response.statusCode) : "none";
      this.parts.metrics?.requestEnded(routeOf(exchange.path), status);
      // In flight is what is still being worked on, or not yet handed to the network.
      if (--this.#inFlight === 0) this.#onIdle?.();
    };
    const over = (): void => {
      // What has written its answer itself: pages and streams.
      const { statusCode } = response;
      exchange.over(statusCode, statusCode < 400 ? "ok" : `HTTP_${statusCode}`);
      if (response.destroyed) done();
      else response.once("close", done);
    };
    this.#route(exchange).then(over, (error: unknown) => {
      this.#refuse(exchange, error);
      over();
    });
  };

  #connectionOf(socket: Duplex): Connection {
    const known = this.#connections.get(socket);
    if (known) return known;
    const connection = new Connection(socket);
    this.#connections.set(socket, connection);
    socket.once("close", () => {
      this.#idle.delete(connection);
      // Node tells it to the response whose turn it is, and not to those that wait behind it.
      for (const response of [...connection.open]) {
        if (response.destroyed || response.socket !== null) continue;
        response.destroy();
        response.emit("close");
      }
    });
    return connection;
  }

  #route(exchange: Exchange): Promise<void> {
    const { request, path } = exchange;
    if (request.headers.host === undefined && request.httpVersion === "1.1") {
      return Promise.reject(new HttpRefusal("BAD_REQUEST", "The Host header is missing."));
    }
    return path === graphqlPath ? this.#graphql.handle(exchange) : this.#servePage(exchange);
  }

  async #servePage(exchange: Exchange): Promise<void> {
    exchange.preset();
    for (const page of this.#pages) if (await page.handle(exchange)) return;
    throw new HttpRefusal("NOT_FOUND", "There is nothing at this path. The GraphQL endpoint is /graphql.");
  }

  #refuse(exchange: Exchange, error: unknown): void {
    if (error instanceof ClientGone) {
      exchange.over(0, "CLIENT_GONE");
      return;
    }
    const headers = exchange.headers("application/json; charset=utf-8");
    if ((error instanceof GatewayError || error instanceof HttpRefusal) && isRefusal(error.code)) {
      this.parts.metrics?.requestRefused(error.code);
    }
    if (error instanceof GatewayError) {
      // A page's, or the audit's: others of operations are in their answers.
      if (exchange.path === graphqlPath) this.#cors.allow(exchange.request, headers);
      const { http, ...extensions } = error.extensions;
      for (const [name, value] of http.headers ?? []) headers.push(name, value);
      exchange.answer(
        http.status,
        headers,
        JSON.stringify({ errors: [{ message: error.message, extensions }] }),
        error.code,
      );
      return;
    }
    if (!(error instanceof HttpRefusal)) {
      const errorId = this.parts.onError(error, exchange.id);
      this.#refuse(
        exchange,
        new HttpRefusal("INTERNAL_SERVER_ERROR", "The gateway failed to answer.", [], errorId),
      );
      return;
    }
    headers.push(...error.headers);
    if (exchange.path === graphqlPath) this.#cors.allow(exchange.request, headers);
    exchange.answer(error.status, headers, refusalBody(error), error.code);
  }
}

/** What a request is counted under: paths are the clients' own words. */
function routeOf(path: string): CountedRoute {
  if (path === graphqlPath) return "graphql";
  if (path === "/metrics") return "metrics";
  const [, first] = path.split("/", 2);
  return first === "health" || first === "status" || first === "explorer" ? first : "other";
}

/** The answer is over: with its status, which is the gateway's fault from 500 on, or without one. */
function endRequest(span: Span, { headersSent, statusCode, writableFinished }: ServerResponse): void {
  if (headersSent) span.set("http.response.status_code", statusCode);
  if (headersSent && statusCode >= 500) span.fail(String(statusCode));
  else if (!writableFinished) span.set("error.type", "CLIENT_GONE");
  span.end();
}
