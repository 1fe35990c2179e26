/** The second door: a plain listener that answers scrapes and probes without asking who sends them, for a network that only they are in. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Exchange, type ExchangeSurroundings } from "./exchange";
import { HttpRefusal, refusalBody } from "./http-refusal";
import { Outbox } from "./outbox";
import type { Page } from "./page";
import { responseHeaders } from "./response-headers";
import { StartupError } from "../startup-error";

/** Where it listens. */
export interface MetricsListener {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

/** What it serves. */
export interface MetricsServerParts {
  /** Asked in order. */
  readonly pages: readonly Page[];
  /** Told of faults of this process. Returns the id under which the log tells the cause. */
  readonly onError: (error: unknown) => string;
}

/** The port is in use, or not this machine's to use. The message is fit for the operator. */
class MetricsPortUnusable extends StartupError {
  override readonly name = "MetricsPortUnusable";
}

/** Scrapers are few, and their requests have no bodies. */
const [maxConnections, requestMs, maxHeaderBytes] = [64, 10_000, 8 * 1024];

/** Serves pages to whoever can connect. */
export class MetricsServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #around: ExchangeSurroundings;

  constructor(
    private readonly listener: MetricsListener,
    private readonly parts: MetricsServerParts,
  ) {
    this.#around = {
      closing: () => false,
      headers: responseHeaders(false),
      addressOf: ({ socket }) => socket.remoteAddress ?? "",
      outbox: new Outbox(() => undefined),
      refuse: (exchange, error) => {
        this.#refuse(exchange, error);
      },
      // Scrapes and probes are nobody's news.
      onAnswer: () => undefined,
    };
    this.#server = createServer(
      { requestTimeout: requestMs, headersTimeout: requestMs, maxHeaderSize: maxHeaderBytes },
      (request: IncomingMessage, response: ServerResponse) => {
        const exchange = new Exchange(request, response, this.#around);
        this.#serve(exchange).catch((error: unknown) => {
          this.#refuse(exchange, error);
        });
      },
    );
    this.#server.maxConnections = maxConnections;
    this.#server.timeout = 2 * requestMs;
  }

  /** Listens. Resolves with its URL without a path; rejects with {@link MetricsPortUnusable}. */
  start(): Promise<string> {
    const { host, port } = this.listener;
    return new Promise((resolve, reject) => {
      this.#server.once("error", ({ code = "" }: NodeJS.ErrnoException) => {
        reject(
          new MetricsPortUnusable(
            `The gateway cannot listen on METRICS_PORT ${port} of ${host} (${code}). Set METRICS_PORT, or METRICS_HOST, to others.`,
          ),
        );
      });
      this.#server.listen({ host, port }, () => {
        const { address, family, port: taken } = this.#server.address() as AddressInfo;
        resolve(`http://${family === "IPv6" ? `[${address}]` : address}:${taken}`);
      });
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => {
      // The only error is that it does not listen.
      this.#server.close(() => {
        resolve();
      });
      this.#server.closeAllConnections();
    });
  }

  async #serve(exchange: Exchange): Promise<void> {
    exchange.preset();
    for (const page of this.parts.pages) if (await page.handle(exchange)) return;
    throw new HttpRefusal(
      "NOT_FOUND",
      "There is nothing at this path: /metrics and /health are served here.",
    );
  }

  #refuse(exchange: Exchange, error: unknown): void {
    const refusal = error instanceof HttpRefusal ? error : this.#fault(error);
    const headers = [...exchange.headers("application/json; charset=utf-8"), ...refusal.headers];
    exchange.answer(refusal.status, headers, refusalBody(refusal), refusal.code);
  }

  #fault(error: unknown): HttpRefusal {
    const errorId = this.parts.onError(error);
    return new HttpRefusal("INTERNAL_SERVER_ERROR", "The gateway failed to answer.", [], errorId);
  }
}
