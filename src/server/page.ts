/** What a page beside /graphql has to offer to the HTTP server. */
import type { IncomingMessage, ServerResponse } from "node:http";

/** A page or route beside /graphql. */
export interface Page {
  /**
   * Answers the request, or returns false, without touching the response, when the path is not its own.
   * The headers every answer carries are on the response already.
   * @param path the path of the request target, without its query string.
   */
  handle(request: IncomingMessage, response: ServerResponse, path: string): boolean | Promise<boolean>;
}
