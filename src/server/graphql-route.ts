/** The route /graphql: GraphQL over HTTP, from a Node request through Apollo Server to a Node response. */
import type { IncomingMessage } from "node:http";
import {
  HeaderMap,
  type ApolloServer,
  type BaseContext,
  type HTTPGraphQLRequest,
  type HTTPGraphQLResponse,
} from "@apollo/server";
import { GraphQLError } from "graphql";
import { errorType, type Span } from "../services/telemetry/span";
import { statusOfAnswer } from "./answer-status";
import type { Cors } from "./cors";
import type { Exchange, RequestInfo } from "./exchange";
import { HttpRefusal, refusalBody } from "./http-refusal";
import { KnownBodies } from "./known-bodies";
import type { OperationLabels } from "./operation-labels";
import type { OperationLabel } from "../schema/operation-label";
import type { OperationList, SentOperation } from "./operation-list";
import { isRefusal, outcomeOf, succeeded } from "./outcomes";
import { beginOperation, endOperation, nameOperation } from "./operation-span";
import { readJsonObject } from "./request-body";
import { sandboxPolicy } from "./sandbox";
import { ShortWay, type RunnableOperations, type ShortRequest } from "./short-way";
import {
  asEvents,
  eventStreamType,
  mustStream,
  type AcceptedStream,
  type Subscriptions,
} from "./subscriptions";

/** Makes the context of one operation. Errors with plain `extensions` reach the client as they are. */
type MakeContext<TContext> = (request: IncomingMessage, info: RequestInfo) => TContext | Promise<TContext>;

/** What is counted of which no operation has come: it was not valid, or its sender was not let in. */
const noOperation = "invalid";

/** Written by this room alone, whatever Apollo Server's plugins say. */
const ownHeaders = new Set(["content-type", "content-length", "cache-control"]);

const graphqlResponseType = "application/graphql-response+json";

/** What answers an operation. */
export interface GraphqlParts<TContext extends BaseContext> {
  /** Started by its owner, and stopped by it after the server has closed. */
  readonly apollo: ApolloServer<TContext>;
  readonly context: MakeContext<TContext>;
  /** The operations that clients may name instead of sending them; without it they send them all. */
  readonly operationList?: OperationList | undefined;
  readonly subscriptions: Subscriptions;
  /** What the operations are called that Apollo Server answers; its plugin is among Apollo Server's. */
  readonly labels?: Pick<OperationLabels<TContext>, "of"> | undefined;
  /** Whether who asks for an operation is let in, without a look at its variables; all are when left out. */
  readonly admits?: ((operation: OperationLabel, context: TContext) => boolean) | undefined;
  /** Operations that can be answered past Apollo Server; without them it answers them all. */
  readonly compiled?: RunnableOperations | undefined;
  /** Where operations are counted. */
  readonly metrics?: OperationMetrics | undefined;
}

/** What the metrics are told of operations. */
export interface OperationMetrics {
  operationEnded(operation: string, outcome: string, seconds: number): void;
  requestRefused(code: string): void;
}

/** Apollo Server's answer, or the events that it is to be answered with. */
interface Answer {
  readonly result: HTTPGraphQLResponse;
  readonly events: AcceptedStream | undefined;
}

/** Within which limits an operation is answered. */
export interface GraphqlOptions {
  /** Largest request body accepted. */
  readonly bodyLimitBytes: number;
  /** The longest that an operation may take once it has arrived; 30 seconds when left out. */
  readonly operationTimeoutMs?: number;
}

/** Serves GraphQL operations. */
export class GraphqlRoute<TContext extends BaseContext> {
  readonly #timeoutMs: number;
  readonly #shortWay: ShortWay | undefined;
  readonly #knownBodies = new KnownBodies();

  constructor(
    private readonly parts: GraphqlParts<TContext>,
    private readonly cors: Cors,
    private readonly options: GraphqlOptions,
  ) {
    this.#timeoutMs = options.operationTimeoutMs ?? 30_000;
    this.#shortWay = parts.compiled && new ShortWay(parts.compiled);
  }

  /** Answers one request. Throws {@link HttpRefusal} for what is not a GraphQL request. */
  async handle(exchange: Exchange): Promise<void> {
    const { request } = exchange;
    const method = request.method ?? "";
    if (method === "OPTIONS") {
      this.#answerOptions(exchange);
      return;
    }
    if (method !== "POST" && method !== "GET") {
      throw new HttpRefusal("METHOD_NOT_ALLOWED", "Send GraphQL requests with POST, or queries with GET.", [
        "allow",
        "GET, POST, OPTIONS",
      ]);
    }
    const { bodyLimitBytes } = this.options;
    const body =
      method === "POST" ? await readJsonObject(request, bodyLimitBytes, this.#knownBodies) : undefined;
    const sent = { method, search: exchange.search, body };
    const { operationList } = this.parts;
    const toRun = operationList ? operationList.resolve(sent) : sent;
    const short = this.#shortWay?.find(toRun, request);
    const span = exchange.span && beginOperation(exchange.span);
    if (span) exchange.span = span;
    if (short) exchange.operation = short.operation.label;
    const asked = short ? undefined : requestOf(exchange, toRun);
    const running = short
      ? this.#runShort(exchange, toRun, short)
      : this.#run(exchange, asked ?? requestOf(exchange, toRun));
    const beganAt = performance.now();
    const deadline = { isOver: false };
    const timer = setTimeout(() => {
      deadline.isOver = true;
      exchange.expire();
      span?.fail("OPERATION_TIMEOUT");
      if (asked) exchange.operation ??= this.parts.labels?.of(asked);
      this.#ended(exchange, "OPERATION_TIMEOUT", this.#timeoutMs);
      this.#answerTooLate(exchange);
    }, this.#timeoutMs);
    // Until it has ended the exchange counts as in flight, so that a gateway that closes waits for a revocation.
    let answer: string | Answer;
    try {
      answer = await running;
      if (span && typeof answer !== "string") tellEnd(span, answer, deadline.isOver);
    } catch (error) {
      if (asked) this.parts.subscriptions.acceptedFor(asked)?.end();
      if (deadline.isOver) return;
      this.#ended(exchange, "INTERNAL_SERVER_ERROR", performance.now() - beganAt);
      span?.fail(errorType(error));
      throw error;
    } finally {
      clearTimeout(timer);
      span?.end();
    }
    if (deadline.isOver) {
      if (typeof answer !== "string") answer.events?.end();
      return;
    }
    const elapsedMs = performance.now() - beganAt;
    if (typeof answer === "string") {
      this.#ended(exchange, succeeded, elapsedMs);
      this.#answerShort(exchange, answer, short?.contentType ?? "");
    } else if (answer.events) {
      this.#ended(exchange, succeeded, elapsedMs);
      await this.#stream(exchange, answer.events);
    } else {
      const outcome = this.#answer(exchange, answer.result);
      if (outcome !== undefined) this.#ended(exchange, outcome, elapsedMs);
    }
  }

  /** Counts an operation. */
  #ended({ operation }: Exchange, outcome: string, elapsedMs: number): void {
    const { metrics } = this.parts;
    if (!metrics) return;
    const counted = outcome === succeeded ? outcome : outcomeOf(outcome);
    metrics.operationEnded(operation?.field ?? noOperation, counted, elapsedMs / 1_000);
    if (isRefusal(counted)) metrics.requestRefused(counted);
  }

  async #run(
    exchange: Exchange,
    httpGraphQLRequest: HTTPGraphQLRequest,
    context = () => this.#context(exchange),
  ): Promise<Answer> {
    const result = await this.parts.apollo.executeHTTPGraphQLRequest({ httpGraphQLRequest, context });
    exchange.operation ??= this.parts.labels?.of(httpGraphQLRequest);
    return { result, events: this.parts.subscriptions.acceptedFor(httpGraphQLRequest) };
  }

  /** The data as JSON, or what Apollo Server makes of it when there is anything else to tell. */
  async #runShort(
    exchange: Exchange,
    sent: SentOperation,
    { operation, variables }: ShortRequest,
  ): Promise<string | Answer> {
    let context: TContext;
    try {
      const made = this.parts.context(exchange.request, exchange);
      context = made instanceof Promise ? await made : made;
    } catch (error) {
      return this.#run(exchange, requestOf(exchange, sent), () => Promise.reject(asGraphqlError(error)));
    }
    if (exchange.span) nameOperation(exchange.span, operation.label);
    const { admits } = this.parts;
    const isAdmitted = admits === undefined || admits(operation.label, context);
    const text = isAdmitted ? await operation.run(context, variables) : undefined;
    return text ?? this.#run(exchange, requestOf(exchange, sent), () => Promise.resolve(context));
  }

  #answerShort(exchange: Exchange, text: string, contentType: string): void {
    const headers = exchange.headers(contentType);
    this.cors.allow(exchange.request, headers);
    exchange.answer(200, headers, text, "ok", true);
  }

  /** Answers, and tells the outcome; a page that Apollo Server has is none. */
  #answer(exchange: Exchange, result: HTTPGraphQLResponse): string | undefined {
    const { request } = exchange;
    if (result.body.kind !== "complete") {
      throw new Error("Apollo Server answered in parts, which this server does not send.");
    }
    const contentType = result.headers.get("content-type") ?? "application/json; charset=utf-8";
    const answer = statusOfAnswer(result.status ?? 200, contentType, result.body.string);
    if (contentType.includes("json") && mustStream(request.headers.accept)) {
      // GraphQL over SSE: whoever takes nothing but events is told as one what is wrong, too.
      const headers = this.#eventHeaders(exchange);
      exchange.answer(200, headers, asEvents(answer.text), answer.outcome, answer.hasData);
      return answer.outcome;
    }
    const { status, text, hasData, outcome } = answer;
    if (request.method === "POST" && status === 200 && hasData) this.#shortWay?.learn(request, contentType);
    const policy = contentType.startsWith("text/html") ? sandboxPolicy(text) : undefined;
    const headers = exchange.headers(contentType, policy);
    for (const [name, value] of result.headers) if (!ownHeaders.has(name)) headers.push(name, value);
    this.cors.allow(request, headers);
    exchange.answer(status, headers, text, outcome, hasData);
    return policy === undefined ? outcome : undefined;
  }

  #stream(exchange: Exchange, events: AcceptedStream): Promise<void> {
    return this.parts.subscriptions.stream(exchange, this.#eventHeaders(exchange), events);
  }

  #eventHeaders(exchange: Exchange): string[] {
    const headers = exchange.headers(`${eventStreamType}; charset=utf-8`);
    // nginx would keep events until it has a bufferful.
    headers.push("x-accel-buffering", "no");
    this.cors.allow(exchange.request, headers);
    return headers;
  }

  #answerTooLate(exchange: Exchange): void {
    const seconds = this.#timeoutMs / 1_000;
    const refusal = new HttpRefusal(
      "OPERATION_TIMEOUT",
      `The operation took longer than ${seconds} s. What it has begun may still take effect.`,
    );
    const headers = exchange.headers("application/json; charset=utf-8");
    this.cors.allow(exchange.request, headers);
    exchange.answer(refusal.status, headers, refusalBody(refusal), refusal.code);
  }

  async #context(exchange: Exchange): Promise<TContext> {
    try {
      return await this.parts.context(exchange.request, exchange);
    } catch (error) {
      throw asGraphqlError(error);
    }
  }

  #answerOptions(exchange: Exchange): void {
    const headers = ["allow", "GET, POST, OPTIONS"];
    this.cors.allowPreflight(exchange.request, headers);
    exchange.answerEmpty(headers);
  }
}

/** What came too late has been told to the client as what it is. */
function tellEnd(span: Span, { result: { body } }: Answer, isTooLate: boolean): void {
  if (body.kind === "complete" && !isTooLate) endOperation(span, body.string);
}

/** Apollo Server would put words of its own before the message of an error that is not a GraphQLError. */
function asGraphqlError(error: unknown): Error {
  if (error instanceof GraphQLError || !(error instanceof Error)) return error as Error;
  return new GraphQLError(error.message, { originalError: error });
}

function requestOf({ request }: Exchange, sent: SentOperation): HTTPGraphQLRequest {
  return { ...sent, headers: headersOf(request) };
}

function headersOf(request: IncomingMessage): HeaderMap {
  const headers = new HeaderMap();
  for (const name in request.headers) {
    const value = request.headers[name];
    if (value !== undefined) headers.set(name, typeof value === "string" ? value : value.join(", "));
  }
  // Apollo Server sends no events, and would refuse to answer.
  if (mustStream(request.headers.accept)) headers.set("accept", `${graphqlResponseType}, ${eventStreamType}`);
  if (request.method === "GET" && !mayBeBrowser(request)) headers.set("apollo-require-preflight", "1");
  return headers;
}

/**
 * Apollo Server's protection against cross-site request forgery refuses a GET without a header that makes browsers
 * ask first. Only browsers can be tricked into sending a request, and each names itself in `user-agent`, which a page
 * cannot change without a preflight; other clients are spared the header.
 */
function mayBeBrowser({ headers }: IncomingMessage): boolean {
  return (
    headers["sec-fetch-site"] !== undefined ||
    headers.origin !== undefined ||
    headers.referer !== undefined ||
    headers.cookie !== undefined ||
    headers["user-agent"]?.startsWith("Mozilla/") === true
  );
}
