/** How a contender says where it is. */
import { once } from "node:events";

/** Tells the bench the URL of its endpoint. */
export function announce(url) {
  process.stdout.write(`${JSON.stringify({ url })}\n`);
}

/** Has a server of node:http listen on a free loopback port, and tells the bench. */
export async function listen(server, path) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  announce(`http://127.0.0.1:${server.address().port}${path}`);
}
