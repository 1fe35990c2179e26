/** Attacks that hold or multiply connections: none keeps others from being served, and none outlives its time. */
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, it } from "@jest/globals";
import { makeCertificates } from "../../../emulator/tls";
import { readToEnd, SmallWorld, type SmallWorldOptions } from "../../http/http-world";

const post = (body: string, ...headers: string[]) =>
  [
    "POST /graphql HTTP/1.1",
    "host: a",
    "content-type: application/json",
    `content-length: ${body.length}`,
    ...headers,
    "",
    body,
  ].join("\r\n");
const field = (name: string) => `{"query":"{ field(name: \\"${name}\\") }"}`;
const hello = '{"query":"{ hello }"}';

let world: SmallWorld;
const start = async (options: SmallWorldOptions) => (world = await SmallWorld.start(options));
afterEach(() => world[Symbol.asyncDispose]());

const othersAreServed = async () => {
  expect((await world.post({ query: "{ hello }" })).status).toBe(200);
  expect(world.faults).toEqual([]);
};

/** A field whose answer does not fit into the buffers of a connection, and the signal of who asked for it first. */
function large() {
  let ask: (signal: AbortSignal) => void = () => undefined;
  const asked = new Promise<AbortSignal>((resolve) => (ask = resolve));
  const answer = ({ signal }: { signal: AbortSignal }) => {
    ask(signal);
    return "x".repeat(20_000_000);
  };
  return { asked, fields: { large: answer } };
}

const aborted = async (signal: AbortSignal) => signal.aborted || (await once(signal, "abort"));

describe("a client that never reads its answer", () => {
  const impatient = { operationTimeoutMs: 100, writeTimeoutMs: 100 };

  it("is cut when nothing has moved for the write timeout", async () => {
    const { asked, fields } = large();
    await start({ fields, http: impatient });
    const socket = await world.connect();
    socket.pause().write(post(field("large")));
    await aborted(await asked);
    await othersAreServed();
    const text = await readToEnd(socket.resume());
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text.length).toBeLessThan(20_000_000);
  });

  it("is cut under TLS as well", async () => {
    const directory = await mkdtemp(join(tmpdir(), "acs-token-gateway-slow-"));
    const [certFile, keyFile] = [join(directory, "cert"), join(directory, "key")];
    const { cert, key, ca } = await makeCertificates("127.0.0.1");
    await writeFile(certFile, cert);
    await writeFile(keyFile, key);
    const { asked, fields } = large();
    await start({ fields, http: { ...impatient, tls: { certFile, keyFile } } });
    const socket = connectTls({ port: world.port, host: "127.0.0.1", ca });
    await once(socket, "secureConnect");
    socket.pause().write(post(field("large")));
    socket.on("error", () => undefined);
    await aborted(await asked);
    socket.destroy();
    await rm(directory, { recursive: true });
  });

  it("is given its whole answer as long as it reads, however slowly", async () => {
    await start({ fields: large().fields, http: impatient });
    const socket = await world.connect();
    socket.write(post(field("large"), "connection: close"));
    let size = 0;
    socket.on("data", (chunk: Buffer) => {
      size += chunk.length;
      socket.pause();
      setTimeout(() => socket.resume(), 1);
    });
    await once(socket, "end");
    expect(size).toBeGreaterThan(20_000_000);
  });
});

describe("a body that comes one byte at a time", () => {
  it("is ended with 408 after the request timeout, on every one of many connections", async () => {
    await start({ http: { requestTimeoutMs: 300, headersTimeoutMs: 200 } });
    const head =
      "POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";
    const sockets = await Promise.all(Array.from({ length: 50 }, () => world.connect()));
    const ends = sockets.map(readToEnd);
    for (const socket of sockets) socket.write(head);
    const drip = setInterval(() => {
      for (const socket of sockets) if (socket.writable) socket.write(" ");
    }, 20);
    try {
      await othersAreServed();
      for (const text of await Promise.all(ends)) expect(text).toMatch(/^HTTP\/1\.1 408 /);
    } finally {
      clearInterval(drip);
    }
  });
});

describe("more connections than allowed", () => {
  it("are closed at once, and a place that is left is taken by the next", async () => {
    await start({ http: { maxConnections: 3 } });
    const kept = await Promise.all([1, 2, 3].map(() => world.connect()));
    // Each is known to the server once it has been answered.
    for (const socket of kept) {
      socket.write("GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n");
      await once(socket, "data");
    }
    const request = "GET /health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    for (let count = 0; count < 20; count++) expect(await world.raw(request)).toBe("");
    kept[0]!.write(request);
    await readToEnd(kept[0]!);
    expect(await world.raw(request)).toMatch(/^HTTP\/1\.1 200 /);
    for (const socket of kept) socket.destroy();
  });
});

describe("requests sent in a row without waiting", () => {
  it("end the connection when there are more than anybody sends, before they are all begun", async () => {
    let begun = 0;
    await start({
      fields: {
        slow: async ({ signal }) => {
          begun++;
          await once(signal, "abort");
          return null;
        },
      },
    });
    const socket = await world.connect();
    const end = readToEnd(socket);
    socket.write(post(field("slow")).repeat(10_000));
    expect(await end).toBe("");
    expect(begun).toBeLessThanOrEqual(100);
    await othersAreServed();
  });

  it("are all told when their client leaves, so that none is worked on for nobody and none is waited for", async () => {
    const signals: AbortSignal[] = [];
    let all: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (all = resolve));
    await start({
      http: { drainTimeoutMs: 60_000 },
      fields: {
        slow: async ({ signal }) => {
          if (signals.push(signal) === 5) all();
          await once(signal, "abort");
          return null;
        },
      },
    });
    const socket = await world.connect();
    socket.write(post(field("slow")).repeat(5));
    await begun;
    socket.resetAndDestroy();
    await Promise.all(signals.map(aborted));
    await othersAreServed();
    await world.server.close();
  });
});

describe("a request for something else than HTTP", () => {
  it("CONNECT is refused in words, and the connection is closed", async () => {
    await start({});
    const text = await world.raw(
      "CONNECT internal.example:443 HTTP/1.1\r\nhost: internal.example\r\n\r\nsecret",
    );
    expect(text).toMatch(/^HTTP\/1\.1 405 Method Not Allowed\r\n/);
    expect(text).toContain("connection: close\r\n");
    expect(text).toContain('"code":"METHOD_NOT_ALLOWED"');
    await othersAreServed();
  });

  it("CONNECT behind an unanswered request ends the connection and nothing else", async () => {
    await start({ fields: { slow: ({ signal }) => once(signal, "abort") } });
    const text = await world.raw(`${post(field("slow"))}CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n`);
    expect(text).toBe("");
    await othersAreServed();
  });

  // RFC 9110, section 7.8: a server may ignore it. Clients that offer h2c, such as Java's own, rely on that.
  it.each(["websocket", "h2c", "TLS/1.0"])("an upgrade to %s is not taken up", async (protocol) => {
    await start({});
    const upgrade = ["connection: Upgrade, close", `upgrade: ${protocol}`, "sec-websocket-version: 13"];
    const text = await world.raw(post(hello, ...upgrade));
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text).not.toContain("101");
    await othersAreServed();
  });
});
