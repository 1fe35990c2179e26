/** Proves that bad bodies are refused in words, with a stable code, before GraphQL sees them. */
import { gzipSync } from "node:zlib";
import { describe, expect, it, jest } from "@jest/globals";
import { answerOf, SmallWorld } from "./http-world";

const json = "application/json";

/** `{"query":"{ hello }", "padding":"…"}` of exactly `bytes` bytes. */
const bodyOf = (bytes: number): string => {
  const empty = JSON.stringify({ query: "{ hello }", padding: "" });
  return JSON.stringify({ query: "{ hello }", padding: "x".repeat(bytes - empty.length) });
};

describe("a request body", () => {
  it.each([
    ["is cut off", '{ "query": "{ hel', "not valid JSON"],
    ["is HTML", "<html>", "not valid JSON"],
    ["is empty", "", "empty"],
    ["is an array", '[{"query":"{ hello }"}]', "Batches are not accepted"],
    ["is a string", '"{ hello }"', "not an object"],
    ["is null", "null", "not an object"],
    ["is a number", "7", "not an object"],
    ["is not UTF-8", Uint8Array.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d]), "not valid UTF-8"],
    ["is UTF-16", Buffer.from('{"query":"{ hello }"}', "utf16le"), "not valid JSON"],
    ["nests without end", "[".repeat(90_000), "not valid JSON"],
    ["has no query", '{"qeury":"{ hello }"}', "non-empty `query`"],
    ["has no keys", "{}", "JSON object has no keys"],
    ["has a query that is a number", '{"query":7}', "must be strings"],
    ["has variables that are text", '{"query":"{ hello }","variables":"{}"}', "`variables`"],
    ["has an operation name that is a list", '{"query":"{ hello }","operationName":[]}', "`operationName`"],
  ])("that %s is refused with 400 BAD_REQUEST in both media types", async (_case, body, words) => {
    await using world = await SmallWorld.start();
    const stderr = jest.spyOn(process.stderr, "write");
    try {
      for (const accept of [json, "application/graphql-response+json"]) {
        const response = await world.post(body, { accept });
        expect(response.status).toBe(400);
        const { errors } = await answerOf(response);
        expect(errors).toHaveLength(1);
        expect(errors?.[0]?.message).toContain(words);
        expect(errors?.[0]?.extensions).toEqual({ code: "BAD_REQUEST" });
      }
      expect(stderr).not.toHaveBeenCalled();
      expect(world.faults).toEqual([]);
    } finally {
      stderr.mockRestore();
    }
  });

  it.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "application/json; charset=utf-16",
    "application/json; charset=iso-8859-1",
    "application/graphql",
    ";;;",
  ])("of type %s is refused with 415", async (type) => {
    await using world = await SmallWorld.start();
    const response = await world.post('{"query":"{ hello }"}', {
      "content-type": type,
      "apollo-require-preflight": "1",
    });
    expect(response.status).toBe(415);
    const { errors } = await answerOf(response);
    expect(errors?.[0]?.extensions.code).toBe("UNSUPPORTED_MEDIA_TYPE");
    expect(errors?.[0]?.message).toContain("content-type: application/json");
  });

  it("without a type is refused with 415", async () => {
    await using world = await SmallWorld.start();
    const answer = await world.raw(
      "POST /graphql HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 21\r\n\r\n" +
        '{"query":"{ hello }"}',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 415 /);
  });

  it.each([
    "application/json; charset=utf-8",
    "application/json;charset=UTF-8",
    'Application/JSON; charset="utf8"',
    "application/json; profile=a",
  ])("of type %s is read", async (type) => {
    await using world = await SmallWorld.start();
    const response = await world.post('{"query":"{ hello }"}', { "content-type": type });
    expect(await answerOf(response)).toEqual({ data: { hello: "world" } });
  });

  it("with a byte order mark is read", async () => {
    await using world = await SmallWorld.start();
    expect(await answerOf(await world.post('\uFEFF{"query":"{ hello }"}'))).toEqual({
      data: { hello: "world" },
    });
  });

  it("that is compressed is refused with 415, and told what is accepted", async () => {
    await using world = await SmallWorld.start();
    const response = await world.post(gzipSync('{"query":"{ hello }"}'), { "content-encoding": "gzip" });
    expect(response.status).toBe(415);
    expect(response.headers.get("accept-encoding")).toBe("identity");
    expect((await answerOf(response)).errors?.[0]?.extensions.code).toBe("UNSUPPORTED_MEDIA_TYPE");
  });

  it("of exactly the limit is read, one byte more is refused with 413", async () => {
    await using world = await SmallWorld.start({ http: { bodyLimitBytes: 2_000 } });
    expect((await world.post(bodyOf(2_000))).status).toBe(200);
    const response = await world.post(bodyOf(2_001));
    expect(response.status).toBe(413);
    const { errors } = await answerOf(response);
    expect(errors?.[0]?.extensions.code).toBe("PAYLOAD_TOO_LARGE");
    expect(errors?.[0]?.message).toContain("2000 bytes");
  });

  it("that does not say how large it is, is refused when it passes the limit", async () => {
    await using world = await SmallWorld.start({ http: { bodyLimitBytes: 2_000 } });
    const chunk = "x".repeat(1_500);
    const piece = `${chunk.length.toString(16)}\r\n${chunk}\r\n`;
    const answer = await world.raw(
      `POST /graphql HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: ${json}\r\ntransfer-encoding: chunked\r\n\r\n` +
        `${piece}${piece}0\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain("PAYLOAD_TOO_LARGE");
  });

  it("that never ends is cut off after the client was told", async () => {
    await using world = await SmallWorld.start({ http: { bodyLimitBytes: 2_000 } });
    const socket = await world.connect();
    let answer = "";
    socket.setEncoding("utf8").on("data", (text: string) => (answer += text));
    const closed = new Promise<void>((resolve) =>
      socket.on("close", () => {
        resolve();
      }),
    );
    socket.on("error", () => undefined);
    socket.write(
      `POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: ${json}\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    const piece = `10000\r\n${"x".repeat(0x10000)}\r\n`;
    let sent = 0;
    const send = (): void => {
      while (!socket.destroyed && socket.write(piece)) sent += piece.length;
    };
    socket.on("drain", send);
    send();
    await closed;
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(sent).toBeGreaterThan(2_000);
    expect((await world.post({ query: "{ hello }" })).status).toBe(200);
  });

  it("in many small pieces is put together, also inside a character", async () => {
    await using world = await SmallWorld.start();
    const body = Buffer.from(JSON.stringify({ query: '{ echo(text: "🏃 läuft") }' }));
    const socket = await world.connect();
    socket.write(
      `POST /graphql HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: ${json}\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    for (const byte of body)
      socket.write(Buffer.concat([Buffer.from("1\r\n"), Buffer.from([byte]), Buffer.from("\r\n")]));
    socket.write("0\r\n\r\n");
    let answer = "";
    for await (const text of socket.setEncoding("utf8")) answer += String(text);
    expect(answer).toContain('{"data":{"echo":"🏃 läuft"}}');
  });
});
