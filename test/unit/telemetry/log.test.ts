/** Nothing secret reaches the log, whatever part of an error or a message it stands in. */
import { describe, expect, it } from "@jest/globals";
import { createEvents } from "../../../src/services/telemetry/events";
import { createLogger } from "../../../src/services/telemetry/logger";
import { cleanPath, RequestLog, type RequestRecord } from "../../../src/services/telemetry/request-log";
import { scrub, scrubber } from "../../../src/services/telemetry/scrub";

const token = "eyJhbGciOiJSUzI1NiJ9.eyJza3lwZWlkIjoiYWNzOngifQ.c2lnbmF0dXJl-_";
const connection = "endpoint=https://contoso.communication.azure.com/;accesskey=dG9wc2VjcmV0a2V5==";

function logged(write: (log: ReturnType<typeof createLogger>) => void): string {
  let text = "";
  write(createLogger("trace", { write: (line) => void (text += line) }));
  return text;
}

it.each([
  [
    "a message",
    (log: ReturnType<typeof createLogger>) => {
      log.info(`token ${token}, ${connection}`);
    },
  ],
  [
    "an error",
    (log: ReturnType<typeof createLogger>) => {
      log.error(new Error(`unexpected ${token}; ${connection}`));
    },
  ],
  [
    "a nested object",
    (log: ReturnType<typeof createLogger>) => {
      log.info({ a: { b: [{ c: token, d: connection }] } });
    },
  ],
  [
    "a URL",
    (log: ReturnType<typeof createLogger>) => {
      log.info("redis://user:dG9wc2VjcmV0a2V5==@host:6379");
    },
  ],
  [
    "an internal error",
    (log: ReturnType<typeof createLogger>) => {
      createEvents(log).internalError(new Error(`${token} ${connection}`));
    },
  ],
])("scrubs tokens, keys and passwords from %s, and leaves a line of JSON", (_where, write) => {
  const text = logged(write);
  expect(text).not.toMatch(/eyJ|c2lnbmF0|dG9wc2Vj/);
  expect(() => JSON.parse(text) as unknown).not.toThrow();
});

it("leaves what is no secret as it is", () => {
  for (const text of [
    '{"level":"info"}',
    "https://contoso.communication.azure.com/identities",
    "eyJ is a prefix",
  ]) {
    expect(scrub(text)).toBe(text);
  }
});

it("tells who operates where an internal error is to be found", () => {
  let id = "";
  const text = logged((log) => {
    id = createEvents(log).internalError(new TypeError("x is not a function"));
  });
  expect(JSON.parse(text)).toMatchObject({ level: "error", errorId: id, msg: "internal error" });
});

const base64Key = Buffer.alloc(32, 7).toString("base64");

/** What could stand in a foreign error's text, and what of it must not be seen. */
const texts: readonly (readonly [what: string, text: string, secret: string])[] = [
  ["an ACS token", `got ${token} back`, "c2lnbmF0dXJl"],
  ["an encrypted token", "eyJhbGciOiJSU0EifQ.a2V5LXRleHQ.aXYtdGV4dA.Y2lwaGVy.dGFnLXRleHQ", "dGFnLXRleHQ"],
  ["an Entra token in a header", `Authorization: Bearer ${token}`, "c2lnbmF0dXJl"],
  ["an opaque bearer token", "authorization: Bearer 0.AXEAopaque-token_of.entra~", "opaque-token"],
  ["an access key", connection, "dG9wc2Vj"],
  ["an access key in capitals", "ENDPOINT=https://a/;AccessKey=dG9wc2VjcmV0", "dG9wc2Vj"],
  [
    "an API key in a header",
    'Invalid character in header content ["x-api-key: my-api-key-7"]',
    "my-api-key-7",
  ],
  ["an API key in JSON", '{"headers":{"x-api-key":"my-api-key-7"}}', "my-api-key-7"],
  [
    "an API key in JSON in JSON",
    JSON.stringify(JSON.stringify({ "x-api-key": "my-api-key-7" })),
    "my-api-key-7",
  ],
  ["an encryption key", `the key k1:${base64Key} does not fit`, base64Key],
  ["a Redis URL", "connect rediss://gateway:pass-of-redis@redis.example.com:6380 failed", "pass-of-redis"],
  ["a password with an @", "postgres://gateway:p@ss-of-pg@db.example.com/x", "ss-of-pg"],
  ["a password as a setting", "host=db password=pass-of-pg sslmode=require", "pass-of-pg"],
  ["headers of an exporter", "OTEL_EXPORTER_OTLP_HEADERS=api-key=key-of-otlp,x=y", "key-of-otlp"],
  [
    "a request's signature",
    "Authorization: HMAC-SHA256 SignedHeaders=date&Signature=c2lnbmVkLWJ5",
    "c2lnbmVkLWJ5",
  ],
  ["a client's secret", "grant_type=x&client_secret=secret-of-client&scope=y", "secret-of-client"],
  [
    "a private key",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----",
    "MIIEvQIBADANBg",
  ],
];

it.each(texts)("scrubs %s from messages, stacks and fields", (_what, text, secret) => {
  const error = new Error(text);
  const written = logged((log) => {
    log.error(error);
    log.error({ error: { stack: error.stack, cause: [text] } }, text);
    createEvents(log).internalError(error);
    log.child({ of: text }).warn("of a child");
  });
  expect(written).not.toContain(secret);
  for (const line of written.trimEnd().split("\n")) expect(() => JSON.parse(line) as unknown).not.toThrow();
  // That the test could tell.
  expect(JSON.stringify(text)).toContain(secret);
});

it("scrubs what is known to be a secret, whatever it looks like and however it is written", () => {
  const secret = 'plain "words" of / a pass?';
  const clean = scrubber([secret, "short"]);
  for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret)]) {
    expect(clean(`before ${form} after`)).toMatch(/^before "?\[secret\]"? after$/);
  }
  expect(clean("short is found everywhere")).toBe("short is found everywhere");
});

it("changes the level of children with its own", () => {
  let text = "";
  const log = createLogger("info", { write: (line) => void (text += line) });
  const child = log.child({ part: "child" });
  const grandchild = child.child({ part: "grandchild" });
  log.setLevel("debug");
  for (const each of [log, child, grandchild, log.child({})]) each.debug("heard");
  log.setLevel("warn");
  for (const each of [log, child, grandchild, log.child({})]) each.info("unheard");
  expect(text.match(/"heard"/g)?.length).toBe(4);
  expect(text).not.toContain("unheard");
});

describe("the line of a request", () => {
  const request: RequestRecord = {
    id: "the-request",
    method: "POST",
    path: "/graphql",
    operation: "issueToken",
    operationName: "IssueToken",
    outcome: "ok",
    status: 200,
    durationMs: 1.23456,
    caller: { kind: "user", name: "ada", user: { issuer: "https://login.example.com" } },
    address: "203.0.113.7",
    bytes: 321,
  };
  const clock = { now: () => Date.UTC(2026, 0, 1) };
  const written = (
    records: readonly RequestRecord[],
    which: "all" | "errors" | "off" = "all",
    level = "info",
  ) => {
    const writes: string[] = [];
    const stream = { write: (some: string) => void writes.push(some) };
    const log = createLogger(level as "info", stream);
    const requests = new RequestLog(which, log, stream, scrubber(["a-known-secret"]), clock);
    for (const each of records) if (requests.wants(each.outcome, each.path)) requests.record(each);
    requests.flush();
    const lines = writes.join("").split("\n").filter(Boolean);
    return { writes, lines, parsed: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
  };

  it("tells who asked for what, and what became of it", () => {
    const { parsed, writes } = written([
      request,
      { ...request, traceId: "0af7651916cd43dd8448eb211c80319c" },
    ]);
    const { id: requestId, ...rest } = request;
    const line = {
      ...rest,
      ...{ level: "info", time: "2026-01-01T00:00:00.000Z", msg: "request", requestId, durationMs: 1.23 },
      caller: { kind: "user", name: "ada", issuer: "https://login.example.com" },
    };
    expect(parsed).toEqual([line, { ...line, traceId: "0af7651916cd43dd8448eb211c80319c" }]);
    expect(writes).toHaveLength(1);
  });

  it("is of errors alone, or of no request, when that is wanted", () => {
    const records = [request, { ...request, outcome: "FORBIDDEN" }];
    expect(written(records, "errors").parsed).toMatchObject([{ outcome: "FORBIDDEN" }]);
    expect(written(records, "off").lines).toEqual([]);
    expect(written(records, "all", "warn").lines).toEqual([]);
  });

  it("is there of health checks and scrapes at debug only", () => {
    const probes = ["/health/live", "/health/ready", "/metrics"].map((path) => ({ ...request, path }));
    expect(written(probes).lines).toEqual([]);
    expect(written(probes, "all", "debug").parsed.map(({ level }) => level)).toEqual([
      "debug",
      "debug",
      "debug",
    ]);
  });

  it("is one line of printable JSON whatever a stranger has chosen, and has no key in it", () => {
    const key = "kH3nqk0lQZ5zmhI4Tqg2xq8H1mT8cVbYtZ0aPz-w_3E";
    const paths = [
      '/a\n{"level":"error"}',
      "/\u001b[31mred",
      "/\u009b31m",
      "/\u202e",
      '/"',
      "/\\",
      `/${"x".repeat(9_000)}`,
      `/graphql/${key}`,
      `/${token}`,
      "/a-known-secret",
      `/x?${key}`,
      "/a".repeat(500),
      "//",
      "*",
      "",
    ];
    const ids = [key, `id:${key}`, token, "a-known-secret", "x".repeat(128)];
    const records = [
      ...paths.map((path) => ({ ...request, path })),
      ...ids.map((id) => ({ ...request, id })),
      { ...request, operationName: "x".repeat(5_000) },
      { ...request, caller: { kind: "user", name: '"\n\u2028{', user: undefined } },
    ];
    const { lines, parsed } = written(records);
    expect(lines).toHaveLength(records.length);
    for (const line of lines) {
      expect(line.length).toBeLessThan(600);
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      expect(line).not.toMatch(new RegExp(`${key}|eyJ|a-known-secret`));
    }
    expect(parsed[0]?.path).toBe('/a?{"level":"error"}');
  });

  it("has paths that are short enough to be ours as they are", () => {
    for (const path of ["/graphql", "/explorer/assets/app.js", "/operations/log-level", "/"])
      expect(cleanPath(path)).toBe(path);
  });
});

describe("a long text", () => {
  const size = 300_000;
  const fill = (part: string) => part.repeat(size / part.length);
  const hostile = {
    "a user at a host": `${"a".repeat(size)}@`,
    "the beginnings of URLs": fill("a://"),
    "the beginnings of tokens": fill("eyJ"),
    "words with dots": `eyJ${fill("a.")}`,
    "names of secrets": fill("password \\"),
    "signs that mean bearers": `bearer ${" ".repeat(size)}`,
    "the beginnings of private keys": fill("-----BEGIN PRIVATE KEY"),
    base64: fill("A"),
    "signs that JSON escapes": fill("\u0001"),
    "signs of three bytes": fill("€"),
  };

  /** Processor time that the quickest of a few runs takes. */
  function cpuMs(run: () => void): number {
    let least = Infinity;
    for (let left = 5; left > 0; left--) {
      const before = process.cpuUsage();
      run();
      const { user, system } = process.cpuUsage(before);
      least = Math.min(least, (user + system) / 1_000);
    }
    return least;
  }

  it.each(Object.entries(hostile))("of %s leaves a short line of JSON at once", (_what, text) => {
    const error = Object.assign(new Error(text), { stack: `${text}\n${text}` });
    const writes: ((log: ReturnType<typeof createLogger>) => void)[] = [
      (log) => {
        log.warn(text);
      },
      (log) => {
        createEvents(log).internalError(error);
      },
      (log) => {
        log.error({ error, names: [text, text], more: { body: text } }, "an answer of Azure");
      },
    ];
    for (const write of writes) {
      const line = logged(write);
      expect(Buffer.byteLength(line)).toBeLessThanOrEqual(4_096);
      expect(JSON.parse(line)).toMatchObject({ level: expect.any(String), msg: expect.any(String) });
      expect(cpuMs(() => logged(write))).toBeLessThan(150);
    }
    expect(cpuMs(() => scrub(text))).toBeLessThan(50);
  });

  it("is not cut through a secret", () => {
    for (let before = 1_900; before < 2_000; before += 7) {
      for (const secret of [token, base64Key, "redis://user:the-password@host"]) {
        const text = `${"x ".repeat(before / 2)}${secret} ${"y ".repeat(5_000)}`;
        const line = logged((log) => {
          log.error({ stack: text }, "internal error");
        });
        expect(line).not.toMatch(/eyJ|BwcHBw|the-pass/);
      }
    }
  });

  it("keeps the beginning of a stack", () => {
    const stack = `Error: no answer\n${"    at run (/app/dist/src/main.js:1:1)\n".repeat(500)}`;
    const line = logged((log) => {
      createEvents(log).internalError(Object.assign(new Error("no answer"), { stack }));
    });
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(4_096);
    expect(JSON.parse(line)).toMatchObject({
      level: "error",
      msg: "internal error",
      errorId: expect.any(String),
      stack: expect.stringContaining("main.js:1:1)\n    at run"),
    });
  });

  it("of a stranger leaves a short line of a request", () => {
    for (const text of Object.values(hostile)) {
      const written: string[] = [];
      const stream = { write: (line: string) => void written.push(line) };
      const log = new RequestLog("all", { isLevelEnabled: () => true }, stream, scrub, { now: () => 0 });
      const caller = { kind: "user", name: text, user: { issuer: text } };
      const rest = {
        operation: "viewer",
        outcome: "ok",
        status: 200,
        durationMs: 1,
        bytes: 1,
        address: "::1",
      };
      log.record({ ...rest, id: "a", method: "GET", path: text, operationName: "a".repeat(size), caller });
      log.flush();
      expect(Buffer.byteLength(written.join(""))).toBeLessThanOrEqual(4_096);
      expect(JSON.parse(written.join(""))).toMatchObject({ requestId: "a", msg: "request" });
    }
  });
});
