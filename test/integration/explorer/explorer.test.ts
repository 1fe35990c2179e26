/** Proves over real HTTP what the explorer's files are served with, what cannot be reached, and that no page holds a key. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as send, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { Explorer } from "../../../src/server/explorer";
import { sandbox } from "../../../src/server/sandbox";
import { SmallWorld } from "../http/http-world";

const operations = "query Viewer { hello }";

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A request whose path and Host header are sent as they are written here. */
function ask(
  port: number,
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
  host = "127.0.0.1",
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host, port, path, method, headers, agent: false };
    send(options, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    })
      .on("error", reject)
      .end();
  });
}

let folder: string;
let directory: string;
let world: SmallWorld | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acs-token-gateway-explorer-"));
  directory = join(folder, "explorer");
  await mkdir(join(directory, "assets"), { recursive: true });
  await writeFile(join(folder, "secret.txt"), "not to be served");
  await writeFile(join(directory, "index.html"), "<!doctype html><title>The page</title>");
  await writeFile(join(directory, "assets", "index-0a1b2c.js"), "export {};");
});

afterAll(() => rm(folder, { recursive: true }));

afterEach(async () => {
  await world?.[Symbol.asyncDispose]();
  world = undefined;
});

interface StartOptions {
  readonly directory?: string;
}

async function start(options: StartOptions = {}): Promise<number> {
  const explorer = new Explorer({ directory, endpointPath: "/graphql", operations, ...options });
  const plugins = [sandbox(operations)];
  world = await SmallWorld.start({ pages: [explorer], plugins });
  return world.port;
}

describe("the explorer's files", () => {
  it.each(["/explorer", "/explorer/", "/explorer/index.html", "/explorer?from=start"])(
    "serves the page at %s, never cached and with everything refused but its own origin",
    async (path) => {
      const { status, headers, body } = await ask(await start(), path);
      expect(status).toBe(200);
      expect(body).toContain("The page");
      expect(headers).toMatchObject({
        "content-type": "text/html; charset=utf-8",
        "content-length": String(body.length),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
      });
      expect(String(headers["content-security-policy"]).split("; ")).toEqual([
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "connect-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "font-src 'self' data:",
        "img-src 'self' data:",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
      ]);
    },
  );

  it("lets assets be kept for ever, since their names change with their content", async () => {
    const { headers, body } = await ask(await start(), "/explorer/assets/index-0a1b2c.js");
    expect(body).toBe("export {};");
    expect(headers["cache-control"]).toBe("public, max-age=31536000, immutable");
    expect(headers["content-type"]).toBe("text/javascript; charset=utf-8");
  });

  it("answers HEAD as GET, without the body", async () => {
    const { status, headers, body } = await ask(await start(), "/explorer", {}, "HEAD");
    expect({ status, length: headers["content-length"], body }).toEqual({
      status: 200,
      length: "38",
      body: "",
    });
  });

  it.each(["POST", "PUT", "DELETE"])("refuses %s", async (method) => {
    const { status, headers } = await ask(await start(), "/explorer", {}, method);
    expect({ status, allow: headers.allow }).toEqual({ status: 405, allow: "GET, HEAD" });
  });

  it.each([
    "/explorer/../secret.txt",
    "/explorer/..%2fsecret.txt",
    "/explorer/%2e%2e/secret.txt",
    "/explorer/assets/../../secret.txt",
    "/explorer/..\\secret.txt",
    "/explorer//secret.txt",
    "/explorer/assets",
    "/explorer/assets/",
    "/explorer/constructor",
    "/explorers",
  ])("has nothing at %s", async (path) => {
    const { status, body } = await ask(await start(), path);
    expect(status).toBe(404);
    expect(body).not.toContain("not to be served");
  });

  it("says how to build the page when it was not built", async () => {
    const { status, headers, body } = await ask(
      await start({ directory: join(folder, "none") }),
      "/explorer",
    );
    expect(status).toBe(503);
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(body).toContain("npm run build");
  });
});

it("tells the page where the endpoint is and what to begin with, and nothing else", async () => {
  const { headers, body } = await ask(await start(), "/explorer/settings.json");
  expect(headers["cache-control"]).toBe("no-store");
  expect(JSON.parse(body)).toEqual({ endpoint: "/graphql", operations });
});

describe("Apollo Sandbox at the endpoint", () => {
  const page = async (): Promise<Answer> => ask(await start(), "/graphql", { accept: "text/html,*/*;q=0.8" });

  it("holds the operations and an empty header, under a policy of its own", async () => {
    const { status, body, headers: got } = await page();
    expect({ status, type: got["content-type"], cache: got["cache-control"] }).toEqual({
      status: 200,
      type: "text/html",
      cache: "no-store",
    });
    expect(got["x-frame-options"]).toBe("DENY");
    const [nonce] = /(?<=<script nonce=")[^"]+/.exec(body) ?? [];
    const policy = String(got["content-security-policy"]).split("; ");
    expect(policy).toEqual(expect.arrayContaining(["default-src 'none'", "frame-ancestors 'none'"]));
    expect(policy.find((part) => part.startsWith("script-src"))).toBe(
      `script-src 'nonce-${nonce ?? ""}' https://embeddable-sandbox.cdn.apollographql.com`,
    );
    expect(body).toContain(JSON.stringify(operations).slice(1, -1));
    expect(body).toContain(`"x-api-key":""`);
  });

  it("has another nonce each time", async () => {
    const port = await start();
    const policy = async () =>
      (await ask(port, "/graphql", { accept: "text/html" })).headers["content-security-policy"];
    expect(await policy()).not.toBe(await policy());
  });

  it("is asked to send neither cookies nor telemetry", async () => {
    const { body } = await page();
    expect(body).toContain(`"includeCookies":false`);
    expect(body).toContain(`"runTelemetry":false`);
  });

  it("is no page at all when switched off", async () => {
    world = await SmallWorld.start({ plugins: [sandbox(undefined)] });
    const { status, headers } = await ask(world.port, "/graphql", { accept: "text/html" });
    expect(status).toBe(406);
    expect(headers["content-type"]).not.toContain("html");
  });
});
