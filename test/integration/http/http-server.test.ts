/** Proves what the door does beside GraphQL: routes, headers, health, pages, faults and vanished clients. */
import { once } from "node:events";
import type { ApolloServerPlugin } from "@apollo/server";
import { describe, expect, it } from "@jest/globals";
import type { Readiness } from "../../../src/services/telemetry/health";
import type { Page } from "../../../src/server/page";
import { answerOf, SmallWorld, type SmallContext } from "./http-world";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const page: Page = {
  handle: ({ request, response, path }) => {
    if (path === "/broken") throw new Error("The page broke.");
    if (path === "/half") {
      response.writeHead(200, { "content-length": 100 });
      response.write("half");
      throw new Error("The page broke half-way.");
    }
    if (path !== "/page") return false;
    response.setHeader("content-type", "text/html; charset=utf-8").end(`<p>${request.url ?? ""}</p>`);
    return true;
  },
};

describe("the HTTP server", () => {
  it("puts its headers on every answer, and no banner", async () => {
    await using world = await SmallWorld.start({ pages: [page] });
    const answers = [
      await world.post({ query: "{ hello }" }),
      await world.post("{"),
      await fetch(`${world.url}/graphql`, { method: "OPTIONS" }),
      await fetch(`${world.url}/nowhere`),
      await fetch(`${world.url}/health/live`),
      await fetch(`${world.url}/health/ready`),
      await fetch(`${world.url}/health/startup`),
      await fetch(`${world.url}/page`),
      await fetch(`${world.url}/broken`),
      await fetch(`${world.url}/graphql`, { method: "PUT" }),
      await world.post("{}", { "content-type": "text/plain" }),
      await world.post({ query: "{ nothing }" }),
      await fetch(`${world.url}/health/ready`, { method: "POST" }),
    ];
    for (const { headers, url, status } of answers) {
      expect({ url, status, nosniff: headers.get("x-content-type-options") }).toMatchObject({
        nosniff: "nosniff",
      });
      expect(headers.get("referrer-policy")).toBe("no-referrer");
      expect(headers.get("x-request-id")).toMatch(uuid);
      expect(headers.get("server")).toBeNull();
      expect(headers.get("x-powered-by")).toBeNull();
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
      expect(headers.get("strict-transport-security")).toBeNull();
    }
    expect(answers.map(({ status }) => status)).toEqual([
      ...[200, 400, 204, 404, 200, 200, 200, 200, 500],
      ...[405, 415, 200, 405],
    ]);
  });

  it("puts them on what it answers outside HTTP's own course as well", async () => {
    await using world = await SmallWorld.start();
    for (const [bytes, status] of [
      ["garbage\r\n\r\n", 400],
      ["GET / HTTP/1.1\r\nconnection: close\r\n\r\n", 400],
      [`GET /${"x".repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`, 431],
      ["GET / HTTP/1.1\r\nhost: a\r\nexpect: miracles\r\nconnection: close\r\n\r\n", 417],
    ] as const) {
      const [head = ""] = (await world.raw(bytes)).split("\r\n\r\n");
      const [first = "", ...lines] = head.toLowerCase().split("\r\n");
      expect(first).toContain(` ${status} `);
      expect(lines).toEqual(
        expect.arrayContaining([
          "cache-control: no-store",
          "x-content-type-options: nosniff",
          "referrer-policy: no-referrer",
          "content-security-policy: default-src 'none'; frame-ancestors 'none'",
          "x-frame-options: deny",
          "cross-origin-resource-policy: same-origin",
        ]),
      );
      const names = lines.map((line) => line.split(":")[0]);
      expect(names).toEqual([...new Set(names)]);
    }
  });

  it("takes over a well-formed request id, also for the context, and makes its own otherwise", async () => {
    await using world = await SmallWorld.start({ fields: { id: ({ id }) => id } });
    const ask = (id: string) => world.post({ query: '{ field(name: "id") }' }, { "x-request-id": id });
    for (const id of ["abc-123_X.y:z/=+", "a".repeat(128)]) {
      const response = await ask(id);
      expect(response.headers.get("x-request-id")).toBe(id);
      expect((await answerOf(response)).data).toEqual({ field: id });
    }
    for (const id of ["a".repeat(129), "a b", "<script>", 'a"b', "a,b", "é"]) {
      expect((await ask(id)).headers.get("x-request-id")).toMatch(uuid);
    }
  });

  it("answers unknown paths with 404 in JSON", async () => {
    await using world = await SmallWorld.start({ pages: [page] });
    for (const path of ["/", "/graphql/", "/graphqlx", "/GraphQL", "/health", "/%67raphql", "//graphql"]) {
      const response = await fetch(`${world.url}${path}`);
      expect(response.status).toBe(404);
      expect((await answerOf(response)).errors?.[0]?.extensions).toEqual({ code: "NOT_FOUND" });
    }
  });

  it.each(["PUT", "DELETE", "PATCH", "HEAD"])(
    "answers %s on /graphql with 405 and what is allowed",
    async (method) => {
      await using world = await SmallWorld.start();
      const response = await fetch(`${world.url}/graphql`, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe("GET, POST, OPTIONS");
      if (method !== "HEAD") {
        expect((await answerOf(response)).errors?.[0]?.extensions.code).toBe("METHOD_NOT_ALLOWED");
      }
    },
  );

  it("lets a page answer its own paths, with the query string untouched", async () => {
    await using world = await SmallWorld.start({ pages: [page] });
    const response = await fetch(`${world.url}/page?a=%20b`);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(await response.text()).toBe("<p>/page?a=%20b</p>");
  });

  it("answers 500 in the place of an answer that cannot be written, and all others as ever", async () => {
    const breaking: ApolloServerPlugin<SmallContext> = {
      requestDidStart: () =>
        Promise.resolve({
          willSendResponse: ({ request, response }) => {
            if (request.query?.includes("echo")) response.http.headers.set("x-broken", "a\nb");
            return Promise.resolve();
          },
        }),
    };
    await using world = await SmallWorld.start({ plugins: [breaking] });
    const ask = async (query: string) => {
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${world.url}/graphql`, {
        method: "POST",
        headers,
        body: JSON.stringify({ query }),
      });
      return { status: answer.status, text: await answer.text() };
    };
    const queries = ["{ hello }", '{ echo(text: "x") }', "{ hello }", '{ echo(text: "y") }', "{ hello }"];
    const answers = await Promise.all(queries.map(ask));
    expect(answers.map(({ status }) => status)).toEqual([200, 500, 200, 500, 200]);
    expect(answers[1]?.text).toContain("the-error-id");
    expect(world.faults).toHaveLength(2);
  });

  it("answers a fault of a page with 500 and the id under which it was logged, not with its words", async () => {
    await using world = await SmallWorld.start({ pages: [page] });
    const response = await fetch(`${world.url}/broken`, { headers: { "x-request-id": "r1" } });
    expect(response.status).toBe(500);
    expect(await answerOf(response)).toEqual({
      errors: [
        {
          message: "The gateway failed to answer.",
          extensions: { code: "INTERNAL_SERVER_ERROR", errorId: "the-error-id" },
        },
      ],
    });
    expect(world.faults).toEqual([{ error: new Error("The page broke."), requestId: "r1" }]);
  });

  it("ends the connection under an answer that failed half-way, so that nobody takes it for whole", async () => {
    await using world = await SmallWorld.start({ pages: [page] });
    await expect(fetch(`${world.url}/half`).then((response) => response.text())).rejects.toThrow();
    expect(world.faults).toHaveLength(1);
  });

  it("aborts the context's signal when the client disconnects, and not when it is answered", async () => {
    let running: (() => void) | undefined;
    const begun = new Promise<void>((resolve) => (running = resolve));
    const signals: AbortSignal[] = [];
    await using world = await SmallWorld.start({
      fields: {
        quick: ({ signal }) => String(signals.push(signal)),
        slow: async ({ signal }) => {
          signals.push(signal);
          running?.();
          await once(signal, "abort");
          return "too late";
        },
      },
    });
    const answered = await world.post({ query: '{ field(name: "quick") }' });
    expect(await answerOf(answered)).toEqual({ data: { field: "1" } });
    const client = new AbortController();
    const gone = fetch(`${world.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: '{ field(name: "slow") }' }),
      signal: client.signal,
    });
    await begun;
    expect(signals[1]?.aborted).toBe(false);
    const aborted = once(signals[1]!, "abort");
    client.abort();
    await expect(gone).rejects.toThrow();
    await aborted;
    expect(signals.map((signal) => signal.aborted)).toEqual([false, true]);
    expect(world.faults).toEqual([]);
  });

  it("rejects with Node's error when its port is taken", async () => {
    await using world = await SmallWorld.start();
    await expect(SmallWorld.start({ http: { port: world.port } })).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
  });

  it.each([
    ["127.0.0.1", /^http:\/\/127\.0\.0\.1:\d+$/],
    ["0.0.0.0", /^http:\/\/localhost:\d+$/],
    ["localhost", /^http:\/\/(127\.0\.0\.1|\[::1\]):\d+$/],
  ])("listening on %s, it names a URL that works", async (host, url) => {
    await using world = await SmallWorld.start({ http: { host } });
    expect(world.url).toMatch(url);
    expect((await world.post({ query: "{ hello }" })).status).toBe(200);
  });
});

describe("the health checks", () => {
  it("say live without asking anybody", async () => {
    await using world = await SmallWorld.start({
      health: { ready: () => Promise.reject(new Error("asked")) },
    });
    const response = await fetch(`${world.url}/health/live`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: "live" });
    expect(world.faults).toEqual([]);
  });

  it.each([
    ["ready", 200],
    ["degraded", 200],
    ["unready", 503],
  ] as const)("answer %s with %d and every part's state", async (status, code) => {
    const readiness: Readiness = {
      status,
      parts: { redis: { state: "ok", since: "2026-01-01T00:00:00.000Z" } },
    };
    await using world = await SmallWorld.start({ health: { ready: () => Promise.resolve(readiness) } });
    const response = await fetch(`${world.url}/health/ready`);
    expect(response.status).toBe(code);
    expect(await response.json()).toEqual(readiness);
  });

  it("say unready when asking fails, and report it", async () => {
    const error = new Error("The check broke.");
    await using world = await SmallWorld.start({ health: { ready: () => Promise.reject(error) } });
    const response = await fetch(`${world.url}/health/ready`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ status: "unready", parts: {} });
    expect(world.faults).toEqual([{ error, requestId: "health" }]);
  });

  it("are read with GET or HEAD only", async () => {
    await using world = await SmallWorld.start();
    for (const path of ["live", "ready", "startup"]) {
      const head = await fetch(`${world.url}/health/${path}`, { method: "HEAD" });
      expect([head.status, head.headers.get("cache-control"), await head.text()]).toEqual([
        200,
        "no-store",
        "",
      ]);
      expect(Number(head.headers.get("content-length"))).toBeGreaterThan(0);
      const response = await fetch(`${world.url}/health/${path}`, { method: "POST" });
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe("GET, HEAD");
      expect((await answerOf(response)).errors?.[0]?.extensions.code).toBe("METHOD_NOT_ALLOWED");
    }
  });

  it("say at startup that the gateway has started once it has, and not before", async () => {
    let isOver = false;
    const health = { ready: () => ({ status: "ready", parts: {} }) as const, started: () => isOver };
    await using world = await SmallWorld.start({ health });
    const startup = async () => {
      const response = await fetch(`${world.url}/health/startup`);
      return [response.status, await response.json()];
    };
    expect(await startup()).toEqual([503, { status: "starting" }]);
    isOver = true;
    expect(await startup()).toEqual([200, { status: "started" }]);
    world.server.drain();
    expect(await startup()).toEqual([200, { status: "started" }]);
  });
});
