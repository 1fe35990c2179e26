/** Serves the built page, with the headers that your own web server should send as well. */
import { createServer } from "node:http";
import { readFileSync, readdirSync } from "node:fs";
import { extname, join } from "node:path";

const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

/** Listens on a port of 127.0.0.1 (0: a free one). `serve(settings)` begins to answer, once the others are known. */
export async function startPage(port, folder) {
  const files = new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [file.slice(folder.length).replaceAll("\\", "/"), readFileSync(file)]),
  );
  let settings;
  const server = createServer((request, response) => {
    const path = request.url.split("?")[0];
    const name = path === "/" ? "/index.html" : path;
    const body = name === "/settings.json" ? JSON.stringify(settings) : files.get(name);
    if (!settings || body === undefined) {
      response.writeHead(settings ? 404 : 503).end();
      return;
    }
    const sources = [new URL(settings.endpoint).origin, settings.issuer].join(" ");
    response.writeHead(200, {
      "content-type": types[extname(name)] ?? "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "content-security-policy": `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ${sources}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    });
    response.end(body);
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    serve: (known) => {
      settings = known;
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
