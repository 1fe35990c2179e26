/** The files of a built page: nothing but what was there at the start can be reached, however a path is written. */
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { extname, join, sep } from "node:path";

const contentTypes: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".ttf": "font/ttf",
  ".woff": "font/woff",
  ".woff2": "font/woff2",
};

/** A folder of them, which need not exist. */
export class StaticFiles {
  /** By their names below the folder, with slashes. */
  readonly #files: ReadonlyMap<string, string>;

  constructor(
    directory: string,
    /** Sent with each of them. */
    private readonly contentSecurityPolicy: string,
  ) {
    this.#files = filesOf(directory);
  }

  /** Answers with the file of this name, or returns false when there is none. */
  async send(response: ServerResponse, name: string): Promise<boolean> {
    const file = this.#files.get(name);
    if (file === undefined) return false;
    const type = contentTypes[extname(file)] ?? "application/octet-stream";
    // The names of assets change with their content.
    const caching = name.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-store";
    this.sendText(response, type, await readFile(file), { caching });
    return true;
  }

  /** Answers with something else under the same policy. */
  sendText(
    response: ServerResponse,
    type: string,
    body: string | Buffer,
    { status = 200, caching = "no-store" } = {},
  ): void {
    const bytes = Buffer.from(body);
    response.setHeader("content-type", type);
    response.setHeader("content-length", bytes.byteLength);
    response.setHeader("cache-control", caching);
    response.setHeader("content-security-policy", this.contentSecurityPolicy);
    response.setHeader("cross-origin-resource-policy", "same-origin");
    response.writeHead(status);
    response.end(bytes);
  }
}

/** A page for people who have not run the build that makes the real one. */
export function notBuilt(what: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<title>${what} is not built</title>
<h1>${what} is not built</h1>
<p>Run <code>npm run build</code>, then start the gateway again.
</html>
`;
}

function filesOf(directory: string): Map<string, string> {
  const files = new Map<string, string>();
  let entries;
  try {
    entries = readdirSync(directory, { withFileTypes: true, recursive: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return files;
    throw error;
  }
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const name = file.slice(join(directory, sep).length).replaceAll(sep, "/");
    files.set(name, file);
  }
  return files;
}
