/** Attacks that hold or multiply connections: none keeps others from being served, and none outlives its time. */
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, it } from "@jest/globals";
import { makeCertificates } from "../../../../emulator/tls";
import { readToEnd, SmallWorld, type SmallWorldOptions } from "../../http/http-world";
import { until } from "../../../support/until";

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

/** A certificate in files, and who has signed it. */
async function makeTls() {
  const directory = await mkdtemp(join(tmpdir(), "acs-token-gateway-attack-"));
  const [certFile, keyFile] = [join(directory, "cert"), join(directory, "key")];
  const { cert, key, ca } = await makeCertificates("127.0.0.1");
  await writeFile(certFile, cert);
  await writeFile(keyFile, key);
  return {
    files: { certFile, keyFile },
    ca,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}

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
    await using tls = await makeTls();
    const { asked, fields } = large();
    await start({ fields, http: { ...impatient, tls: tls.files } });
    const socket = connectTls({ port: world.port, host: "127.0.0.1", ca: tls.ca });
    await once(socket, "secureConnect");
    socket.pause().write(post(field("large")));
    socket.on("error", () => undefined);
    await aborted(await asked);
    socket.destroy();
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
  /** A field whose answer is never there, and how many wait for one. */
  const slow = () => {
    const waiting = { count: 0 };
    const answer = async ({ signal }: { signal: AbortSignal }) => {
      waiting.count++;
      await once(signal, "abort");
      return null;
    };
    return { waiting, fields: { slow: answer } };
  };
  const live = (...headers: string[]) =>
    ["GET /health/live HTTP/1.1", "host: a", ...headers, "", ""].join("\r\n");
  const lastOne = live("connection: close");
  const ask = async (socket: Socket) => {
    const answer = once(socket, "data");
    socket.write(live());
    expect(String(await answer)).toMatch(/^HTTP\/1\.1 200 /);
  };

  it("are closed at once, and a place that is left is taken by the next", async () => {
    const { waiting, fields } = slow();
    await start({ http: { maxConnections: 3 }, fields });
    const kept = await Promise.all([1, 2, 3].map(() => world.connect()));
    for (const socket of kept) socket.write(post(field("slow")));
    await until(() => waiting.count === 3);
    for (let count = 0; count < 20; count++) expect(await world.raw(lastOne)).toBe("");
    kept[0]!.destroy();
    await until(async () => (await world.raw(lastOne)).startsWith("HTTP/1.1 200 "));
    for (const socket of kept) socket.destroy();
  });

  it.each(["plain HTTP", "TLS"])(
    "make those give way that have waited longest for a next request, over %s",
    async (transport) => {
      await using tls = transport === "TLS" ? await makeTls() : undefined;
      const { waiting, fields } = slow();
      await start({ http: { maxConnections: 10, tls: tls?.files }, fields });
      const connect = async () => {
        if (!tls) return world.connect();
        const socket = connectTls({ port: world.port, host: "127.0.0.1", ca: tls.ca });
        await once(socket, "secureConnect");
        return socket;
      };
      const idle: Socket[] = [];
      const closed: number[] = [];
      for (let count = 0; count < 9; count++) {
        const socket = await connect();
        socket.on("error", () => undefined).once("close", () => closed.push(count));
        await ask(socket);
        idle.push(socket);
      }
      await ask(idle[0]!);
      idle[1]!.write(post(field("slow")));
      await until(() => waiting.count === 1);
      for (let count = 0; count < 5; count++) {
        const next = await connect();
        await ask(next);
        idle.push(next);
      }
      await until(() => closed.length === 5);
      expect(closed).toEqual([2, 3, 4, 5, 6]);
      await ask(idle[0]!);
      for (const socket of idle) socket.destroy();
    },
  );

  it("are served as soon as those that took every place have their answers", async () => {
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    let waiting = 0;
    await start({ http: { maxConnections: 10 }, fields: { held: () => (waiting++, released) } });
    const crowd = await Promise.all(Array.from({ length: 10 }, () => world.connect()));
    const answers = crowd.map((socket) => once(socket, "data"));
    for (const socket of crowd) socket.on("error", () => undefined).write(post(field("held")));
    await until(() => waiting === 10);
    expect(await world.raw(lastOne)).toBe("");
    release();
    for (const answer of await Promise.all(answers)) expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /);
    await until(async () => (await world.raw(lastOne)).startsWith("HTTP/1.1 200 "));
    expect(crowd.filter((socket) => !socket.destroyed).length).toBeGreaterThanOrEqual(8);
    for (const socket of crowd) socket.destroy();
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
    expect(text).not.toMatch(/^HTTP\/1\.1 101/m);
    await othersAreServed();
  });
});
