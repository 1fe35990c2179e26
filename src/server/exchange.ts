/** One request and its answer: the id both are known by, the signal that the client has gone, and the writing of the answer. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { OperationLabel } from "../schema/operation-label";
import type { Actor } from "../services/telemetry/line-text";
import type { Span } from "../services/telemetry/span";
import type { ClientAddress } from "./client-address";
import type { Outbox } from "./outbox";
import { withPolicy } from "./response-headers";

/** What a client may choose as a request id: short, and harmless in a log or a header. */
const wellFormedId = /^[\w.:+/=-]{1,128}$/;

/** What the context of a GraphQL operation may know of the HTTP exchange that carries it. */
export interface RequestInfo {
  /** The client's `x-request-id` if it is well-formed, else a new UUID. Sent back as `x-request-id`. */
  readonly id: string;
  /** The client's address, as far as it can be known. Found out on first use. */
  readonly address: string;
  /** Aborts when the client disconnects before it has its answer, or when the time for it is over. Made on first use. */
  readonly signal: AbortSignal;
  /**
   * Resolves when the exchange is over: whether an answer with GraphQL data has been handed to the network. False when
   * the client had gone before, and when the answer was nothing but errors. Made on first use.
   */
  readonly answered: Promise<boolean>;
  /** What is being done for the request; undefined when it is not traced. */
  readonly span: Span | undefined;
  /** Who is calling, for the log; to be set by who finds out. */
  caller: Actor | undefined;
  /** To be set when its answer must not leave without the lines that the audit has of it. */
  isAudited?: boolean;
}

/** Bytes of a refused request that are read and dropped, so that the client can see its answer, before it is cut off. */
const lingerBytes = 1024 * 1024;

/** What the exchanges of a server share. */
export interface ExchangeSurroundings {
  /** Read when an answer is written: is this to be the connection's last? */
  readonly closing: () => boolean;
  readonly addressOf: ClientAddress;
  readonly outbox: Outbox;
  /** Answers in the place of an answer that could not be written. */
  readonly refuse: (exchange: Exchange, error: unknown) => void;
  /** Asked before an answer with data leaves that the audit tells of. Throws when the audit could not be written. */
  readonly audited?: (() => void) | undefined;
  /** Told of each answer, before it is sent. */
  readonly onAnswer: (answered: Answered) => void;
  /** The headers of every answer: name, value, name, value … */
  readonly headers: readonly string[];
}

/** A request and what it was answered with. */
export interface Answered {
  readonly exchange: Exchange;
  /** 0 when the client had gone. */
  readonly status: number;
  /** `ok`, or the code of the first error. */
  readonly outcome: string;
  readonly durationMs: number;
  /** Of the body; undefined for streams and pages. */
  readonly bytes: number | undefined;
}

/** A request being answered. */
export class Exchange implements RequestInfo {
  /** What it asks for, once that is known: see `OperationLabels`. */
  operation: OperationLabel | undefined;
  caller: Actor | undefined;
  isAudited = false;
  #beganAt = performance.now();
  #isOver = false;
  readonly id: string;
  /** The path of the request target, as sent. */
  readonly path: string;
  /** The query string with its question mark, or empty. */
  readonly search: string;
  span: Span | undefined = undefined;
  #controller: AbortController | undefined;
  #answered: Promise<boolean> | undefined;
  #tellsData = false;
  #address: string | undefined;
  #expired: Error | undefined;
  #handedOver: boolean | undefined;
  #isPreset = false;
  #hasFailed = false;

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    private readonly around: ExchangeSurroundings,
  ) {
    const given = request.headers["x-request-id"];
    this.id = typeof given === "string" && wellFormedId.test(given) ? given : randomUUID();
    const target = originForm(request.url ?? "/");
    const mark = target.indexOf("?");
    this.path = mark < 0 ? target : target.slice(0, mark);
    this.search = mark < 0 ? "" : target.slice(mark);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = (this.#controller = new AbortController());
      const { response } = this;
      const gone = (): void => {
        if (!this.#isHandedOver()) controller.abort(new Error("The client has disconnected."));
      };
      if (this.#expired) controller.abort(this.#expired);
      else if (response.destroyed) gone();
      else {
        this.#rememberHandingOver();
        response.once("close", gone);
      }
    }
    return this.#controller.signal;
  }

  get address(): string {
    return (this.#address ??= this.around.addressOf(this.request));
  }

  /** The time for an answer is over: whoever works on one may stop. */
  expire(): void {
    this.#expired = new Error("The time for an answer is over.");
    this.#controller?.abort(this.#expired);
  }

  get answered(): Promise<boolean> {
    return (this.#answered ??= new Promise((resolve) => {
      const { response } = this;
      const over = (): void => {
        resolve(this.#isHandedOver() && this.#tellsData);
      };
      if (response.writableFinished || response.destroyed) over();
      else {
        this.#rememberHandingOver();
        response.once("finish", over);
        response.once("close", over);
      }
    }));
  }

  /**
   * The headers of every answer, as a flat list; the caller adds its own.
   * @param policy a page's Content-Security-Policy; nothing is allowed when left out.
   */
  headers(contentType: string, policy?: string): string[] {
    const common = policy === undefined ? this.around.headers : withPolicy(this.around.headers, policy);
    const headers = ["content-type", contentType, "x-request-id", this.id, ...common];
    if (this.around.closing()) headers.push("connection", "close");
    return headers;
  }

  /** Puts the headers of every answer on the response, for a page that writes its own. It may change them. */
  preset(): void {
    const { response } = this;
    this.#isPreset = true;
    response.setHeader("x-request-id", this.id);
    setAll(response, this.around.headers);
    if (this.around.closing()) response.setHeader("connection", "close");
  }

  /**
   * Sends a whole answer, which has GraphQL data or not. Nothing happens if the client has gone or was answered before.
   * @param outcome `ok`, or the code of the first error.
   */
  answer(status: number, headers: string[], body: string, outcome: string, hasData = false): void {
    const bytes = Buffer.byteLength(body);
    if (this.response.destroyed) this.over(0, "CLIENT_GONE");
    else this.over(status, outcome, bytes);
    headers.push("content-length", String(bytes));
    // ASCII, as nearly all answers are, is copied to the socket as it is; Latin-1 is Node's word for that.
    const encoding = bytes === body.length ? "latin1" : "utf8";
    this.around.outbox.put(
      () => {
        if (hasData && this.isAudited) this.around.audited?.();
        this.#write(status, headers, body, encoding, hasData);
      },
      (error) => {
        if (this.#hasFailed) this.response.destroy();
        else {
          this.#hasFailed = true;
          this.around.refuse(this, error);
        }
      },
    );
  }

  #write(
    status: number,
    headers: string[],
    body: string,
    encoding: "latin1" | "utf8",
    hasData: boolean,
  ): void {
    const { request, response } = this;
    if (response.headersSent) {
      // A page that failed half-way: only the end of the connection can tell the client.
      if (!response.writableEnded) response.destroy();
      return;
    }
    if (response.destroyed) return;
    if (this.#isPreset) for (const name of response.getHeaderNames()) response.removeHeader(name);
    this.#tellsData = hasData;
    response.writeHead(status, headers);
    if (body !== "") {
      // Node would send the end of an answer as a part of its own, however empty, and with several parts in a dearer way.
      response.write(body, encoding);
      response.socket?.uncork();
    }
    response.end();
    if (!request.complete) this.#dropRest();
  }

  /** The request is over, or as good as over: told once, by whoever knows first. */
  over(status: number, outcome: string, bytes?: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const durationMs = performance.now() - this.#beganAt;
    this.around.onAnswer({ exchange: this, status, outcome, durationMs, bytes });
  }

  /** Answers 204, which has neither a body nor a type. */
  answerEmpty(headers: readonly string[]): void {
    const { response } = this;
    this.preset();
    setAll(response, headers);
    response.writeHead(204);
    response.end();
    if (!this.request.complete) this.#dropRest();
  }

  /** For those who ask. First of all listeners, since Node may close the connection at once after its last answer. */
  #rememberHandingOver(): void {
    this.response.prependOnceListener("finish", () => this.#isHandedOver());
  }

  /** Node says "finish" of an answer that was cut off in the middle as well; but then the socket is gone before. */
  #isHandedOver(): boolean {
    if (!this.response.writableFinished) return false;
    return (this.#handedOver ??= !this.request.socket.destroyed);
  }

  /** A client that is still sending would not read its answer from a connection that is reset under it. */
  #dropRest(): void {
    const { request } = this;
    let left = lingerBytes;
    request.on("error", () => undefined);
    request.on("data", (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) request.destroy();
    });
  }
}

function setAll(response: ServerResponse, headers: readonly string[]): void {
  for (let i = 0; i + 1 < headers.length; i += 2) response.setHeader(headers[i] ?? "", headers[i + 1] ?? "");
}

/** Proxies may send the whole URL as the target; what is served does not depend on its host. */
function originForm(target: string): string {
  if (target.startsWith("/") || !URL.canParse(target)) return target;
  const url = new URL(target);
  return url.pathname + url.search;
}
