/** What a request costs at the least: node:http, which reads a body and answers with as many bytes as the gateway does. */
import { createServer } from "node:http";

const text = JSON.stringify({ data: "x".repeat(1_200) });
createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (piece) => (body += piece));
  request.on("end", () => {
    JSON.parse(body);
    response.writeHead(200, { "content-type": "application/json", "content-length": text.length }).end(text);
  });
}).listen(0, "127.0.0.1", function () {
  process.stdout.write(`http://127.0.0.1:${this.address().port}/graphql\n`);
});
