/** Proves over real HTTP what the explorer's files are served with, what cannot be reached, and who gets the key. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as send, type IncomingHttpHeaders } from "node:http";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { Explorer, type ExplorerSettings } from "../../../src/server/explorer";
import { sandbox } from "../../../src/server/sandbox";
import { SmallWorld } from "../http/http-world";

const developmentKey = "a-development-key-for-tests";
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
  readonly developmentKey?: string;
}

async function start(options: StartOptions = {}, host = "127.0.0.1"): Promise<number> {
  const explorer = new Explorer({ directory, endpointPath: "/graphql", operations, ...options });
  const plugins = [sandbox({ enabled: true, operations, developmentKey: options.developmentKey })];
  world = await SmallWorld.start({ pages: [explorer], plugins, http: { host } });
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

/** Requests that may see the development key, and requests that may not. */
const local = [
  { host: "localhost" },
  { host: "localhost:4000" },
  { host: "LOCALHOST:4000" },
  { host: "127.0.0.1:4000" },
  { host: "[::1]:4000" },
  { host: "localhost:4000", "sec-fetch-site": "same-origin", "sec-fetch-dest": "empty" },
  { host: "localhost:4000", "sec-fetch-site": "none", "sec-fetch-dest": "document" },
  { host: "localhost:4000", origin: "http://localhost:4000" },
  { host: "localhost:4000", "sec-fetch-site": "cross-site", "sec-fetch-dest": "document" },
];
const foreign = [
  { host: "rebound.example:4000" },
  { host: "localhost.example:4000" },
  { host: "127.0.0.1.example" },
  { host: "example@localhost" },
  { host: "192.168.1.7:4000" },
  { host: "localhost:4000:1" },
  { host: "localhost:4000", origin: "https://site.example" },
  { host: "localhost:4000", origin: "http://localhost:5173" },
  { host: "localhost:4000", origin: "null" },
  { host: "localhost:4000", "x-forwarded-for": "203.0.113.9" },
  { host: "localhost:4000", forwarded: "for=203.0.113.9" },
  { host: "localhost:4000", "sec-fetch-site": "cross-site", "sec-fetch-dest": "empty" },
  { host: "localhost:4000", "sec-fetch-site": "cross-site", "sec-fetch-dest": "iframe" },
  { host: "localhost:4000", "sec-fetch-site": "same-site", "sec-fetch-dest": "script" },
];

/** An address of this machine that is not loopback: requests to it come from it. */
const outside = Object.values(networkInterfaces())
  .flat()
  .find((address) => address?.family === "IPv4" && !address.internal)?.address;

describe("the explorer's settings", () => {
  const settings = async (headers: Record<string, string>): Promise<ExplorerSettings> => {
    const answer = await ask(await start({ developmentKey }), "/explorer/settings.json", headers);
    expect(answer.headers["cache-control"]).toBe("no-store");
    return JSON.parse(answer.body) as ExplorerSettings;
  };

  it.each(local)("hold the development key for $host ($sec-fetch-site)", async (headers) => {
    expect(await settings(headers as Record<string, string>)).toEqual({
      endpoint: "/graphql",
      operations,
      headers: { "x-api-key": developmentKey },
    });
  });

  it.each(foreign)("do not hold it for %j", async (headers) => {
    expect(await settings(headers as Record<string, string>)).toEqual({
      endpoint: "/graphql",
      operations,
      headers: {},
    });
  });

  // Machines without any network have no such address.
  (outside === undefined ? it.skip : it)(
    "do not hold it for another machine that says localhost",
    async () => {
      const port = await start({ developmentKey }, "0.0.0.0");
      const host = { host: "localhost:4000" };
      expect((await ask(port, "/explorer/settings.json", host)).body).toContain(developmentKey);
      const { status, body } = await ask(port, "/explorer/settings.json", host, "GET", outside);
      expect(status).toBe(200);
      expect(body).not.toContain(developmentKey);
    },
  );

  it("hold no header when there is no development key", async () => {
    const { body } = await ask(await start(), "/explorer/settings.json", { host: "localhost" });
    expect(JSON.parse(body)).toMatchObject({ headers: {} });
  });
});

describe("Apollo Sandbox at the endpoint", () => {
  const page = async (headers: Record<string, string>): Promise<Answer> =>
    ask(await start({ developmentKey }), "/graphql", { accept: "text/html,*/*;q=0.8", ...headers });

  it.each(local)("holds the operations and the development key for %j", async (headers) => {
    const { status, body, headers: got } = await page(headers);
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
    expect(body).toContain(`"x-api-key":"${developmentKey}"`);
  });

  it.each(foreign)("holds the operations alone for %j", async (headers) => {
    const { status, body } = await page(headers);
    expect(status).toBe(200);
    expect(body).toContain(JSON.stringify(operations).slice(1, -1));
    expect(body).not.toContain(developmentKey);
  });

  it("has another nonce each time", async () => {
    const port = await start();
    const policy = async () =>
      (await ask(port, "/graphql", { accept: "text/html" })).headers["content-security-policy"];
    expect(await policy()).not.toBe(await policy());
  });

  it("is asked to send neither cookies nor telemetry", async () => {
    const { body } = await page({ host: "localhost" });
    expect(body).toContain(`"includeCookies":false`);
    expect(body).toContain(`"runTelemetry":false`);
  });

  it("is no page at all when switched off", async () => {
    const plugins = [sandbox({ enabled: false, operations, developmentKey })];
    world = await SmallWorld.start({ plugins });
    const { status, headers, body } = await ask(world.port, "/graphql", { accept: "text/html" });
    expect(status).toBe(406);
    expect(headers["content-type"]).not.toContain("html");
    expect(body).not.toContain(developmentKey);
  });
});
