/** Proves that what is not quite HTTP gets one clear answer, and that no client can hold a connection for ever. */
import { describe, expect, it } from "@jest/globals";
import { readToEnd, SmallWorld } from "./http-world";

const body = '{"query":"{ hello }"}';
const post = (headers: readonly string[], rest: string): string =>
  ["POST /graphql HTTP/1.1", "host: a", "content-type: application/json", ...headers, "", rest].join("\r\n");

/** Status and `extensions.code` of the one answer in `text`. */
function outcome(text: string): { status: number; code: unknown; close: boolean } {
  const [head = "", json = ""] = text.split("\r\n\r\n");
  const { errors } = JSON.parse(json) as { errors: { message: string; extensions: { code: string } }[] };
  return {
    status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]),
    code: errors[0]?.extensions.code,
    close: /^connection: close$/im.test(head),
  };
}

describe("a broken request", () => {
  it.each([
    ["garbage", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 what?\r\n\r\n"],
    ["another protocol", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["two lengths", post(["content-length: 5", "content-length: 6"], body)],
    [
      "a length and chunks",
      post([`content-length: ${body.length}`, "transfer-encoding: chunked"], "0\r\n\r\n"),
    ],
    ["a negative length", post(["content-length: -1"], body)],
    ["a length that is no number", post(["content-length: many"], body)],
    ["chunks that are none", post(["transfer-encoding: chunked"], "zz\r\nhello\r\n")],
    ["a header with a line break in its name", post(["a\nb: c", "content-length: 0"], "")],
    ["no host", "GET /graphql?query=%7Bhello%7D HTTP/1.1\r\nconnection: close\r\n\r\n"],
  ])("with %s is answered with 400 BAD_REQUEST and closed", async (_case, bytes) => {
    await using world = await SmallWorld.start();
    expect(outcome(await world.raw(bytes))).toEqual({ status: 400, code: "BAD_REQUEST", close: true });
    expect(world.faults).toEqual([]);
    expect((await world.post({ query: "{ hello }" })).status).toBe(200);
  });

  it("with too many headers is answered with 431", async () => {
    await using world = await SmallWorld.start();
    const text = await world.raw(post([`x-long: ${"x".repeat(20_000)}`], ""));
    expect(outcome(text)).toEqual({ status: 431, code: "REQUEST_HEADER_FIELDS_TOO_LARGE", close: true });
  });

  it("with a target that is too long is answered with 431", async () => {
    await using world = await SmallWorld.start();
    const text = await world.raw(`GET /graphql?query=${"x".repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`);
    expect(outcome(text)).toEqual({ status: 431, code: "REQUEST_HEADER_FIELDS_TOO_LARGE", close: true });
  });

  it("that expects something unknown is answered with 417", async () => {
    await using world = await SmallWorld.start();
    const text = await world.raw(
      post(["expect: miracles", "connection: close", `content-length: ${body.length}`], body),
    );
    expect(outcome(text)).toMatchObject({ status: 417, code: "EXPECTATION_FAILED" });
  });

  it("whose length is shorter than its body gets one answer, the refusal", async () => {
    await using world = await SmallWorld.start();
    const text = await world.raw(
      post([`content-length: ${body.length}`], `${body}leftover leftover\r\n\r\n`),
    );
    expect(text.match(/HTTP\/1\.1 \d{3}/g)).toEqual(["HTTP/1.1 400"]);
  });

  it("sent after an answered one is refused on the same connection", async () => {
    await using world = await SmallWorld.start();
    const socket = await world.connect();
    const end = readToEnd(socket);
    socket.write(post([`content-length: ${body.length}`], body));
    await new Promise((resolve) => socket.once("data", resolve));
    socket.write("garbage\r\n\r\n");
    expect((await end).match(/HTTP\/1\.1 \d{3}/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 400"]);
  });

  it("that breaks after it was refused gets no second answer", async () => {
    await using world = await SmallWorld.start({ http: { bodyLimitBytes: 1_000 } });
    const socket = await world.connect();
    const end = readToEnd(socket);
    socket.write(post(["transfer-encoding: chunked"], `3e9\r\n${"x".repeat(1_001)}\r\n`));
    await new Promise((resolve) => socket.once("data", resolve));
    socket.write("zz\r\nhello\r\n");
    expect(outcome(await end)).toMatchObject({ status: 413, code: "PAYLOAD_TOO_LARGE" });
  });

  it("whose body never comes is ended with 408 after the request timeout", async () => {
    await using world = await SmallWorld.start({ http: { requestTimeoutMs: 300, headersTimeoutMs: 200 } });
    const text = await world.raw(post(["content-length: 1000"], body));
    expect(outcome(text)).toEqual({ status: 408, code: "REQUEST_TIMEOUT", close: true });
  });

  it("whose headers come one byte at a time is ended with 408 after the headers timeout", async () => {
    await using world = await SmallWorld.start({ http: { requestTimeoutMs: 60_000, headersTimeoutMs: 200 } });
    const socket = await world.connect();
    const drip = setInterval(() => socket.write("x"), 20);
    try {
      socket.write("GET / HTTP/1.1\r\nx-slow: ");
      expect(outcome(await readToEnd(socket))).toEqual({ status: 408, code: "REQUEST_TIMEOUT", close: true });
    } finally {
      clearInterval(drip);
    }
  });

  it("that disconnects inside its body leaves no trace", async () => {
    await using world = await SmallWorld.start();
    const socket = await world.connect();
    socket.end(post(["content-length: 1000"], body));
    await readToEnd(socket);
    await world.server.close();
    expect(world.faults).toEqual([]);
  });
});

describe("a client that asks before it sends its body", () => {
  it("is told to go on when the body is small enough", async () => {
    await using world = await SmallWorld.start();
    const text = await world.raw(
      post(["expect: 100-continue", "connection: close", `content-length: ${body.length}`], body),
    );
    expect(text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  });

  it("is refused at once when it is not", async () => {
    await using world = await SmallWorld.start({ http: { bodyLimitBytes: 1_000 } });
    const text = await world.raw(post(["expect: 100-continue", "content-length: 1001"], ""));
    expect(outcome(text)).toEqual({ status: 413, code: "PAYLOAD_TOO_LARGE", close: true });
  });
});

describe("an unusual request that is well-formed", () => {
  it("may name the whole URL as its target", async () => {
    await using world = await SmallWorld.start();
    const text = await world.raw(
      `POST http://gateway.example/graphql HTTP/1.1\r\nhost: gateway.example\r\nconnection: close\r\n` +
        `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("may come in a row with others, and gets its answer in order", async () => {
    await using world = await SmallWorld.start();
    const one = post([`content-length: ${body.length}`], body);
    const last = post([`content-length: ${body.length}`, "connection: close"], body);
    const text = await world.raw(one + one + last);
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(3);
  });
});
