/** What a page beside /graphql has to offer to the HTTP server. */
import type { Exchange } from "./exchange";

/** A request for a page: what it asks for, who sent it as far as that is known, and the response to write. */
export type PageExchange = Pick<
  Exchange,
  "request" | "response" | "path" | "search" | "id" | "address" | "signal" | "answered" | "caller" | "span"
>;

/** Lets those pass who have the right `gateway:operate`. Rejects with `UNAUTHENTICATED`, `FORBIDDEN` or `RATE_LIMITED`. */
export type AdmitOperator = (exchange: PageExchange) => Promise<void>;

/** An operator who was admitted. */
interface Operator {
  /** Does something, and enters in the audit what it was, in a few words, and how it ended. */
  operate<T>(change: string, act: () => T): Promise<T>;
}

/** {@link AdmitOperator} for a page that changes something. */
export type KnowOperator = (exchange: PageExchange) => Promise<Operator>;

/** A page or route beside /graphql. */
export interface Page {
  /**
   * Answers the request, or returns false, without touching the response, when the path is not its own.
   * The headers every answer carries are on the response already. Throws `HttpRefusal` or `GatewayError` for a request
   * that it refuses.
   */
  handle(exchange: PageExchange): boolean | Promise<boolean>;
}
