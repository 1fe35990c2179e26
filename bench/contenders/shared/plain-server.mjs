/** A server on node:http and nothing else: what the two floors answer with. */
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import { listen } from "./listen.mjs";

/**
 * Serves until the process ends.
 * @param {(headers: object, text: string) => Promise<string | undefined>} answer the JSON of an answer, or undefined for
 * a request without a right to one
 */
export async function serve(answer) {
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8");
    request.on("data", (piece) => (text += piece));
    request.on("end", () => {
      answer(request.headers, text).then(
        (json) => {
          if (json === undefined) response.writeHead(401).end();
          else {
            const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(json) };
            response.writeHead(200, headers).end(json);
          }
        },
        () => response.writeHead(500).end(),
      );
    });
  });
  await listen(server, "/graphql");
}
