/** Requests that two servers could take apart differently: each is refused, or is one request to both. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { SmallWorld } from "../../http/http-world";

let world: SmallWorld;
const served: string[] = [];
beforeAll(async () => {
  world = await SmallWorld.start({
    pages: [
      {
        handle: ({ path }) => {
          served.push(path);
          return false;
        },
      },
    ],
  });
});
afterAll(() => world[Symbol.asyncDispose]());

const hidden = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
const head = (...headers: string[]) =>
  ["POST /graphql HTTP/1.1", "host: a", "content-type: application/json", ...headers, "", ""].join("\r\n");

describe("a request whose end is in doubt is refused, and what is hidden behind it is never served", () => {
  it.each([
    [
      "a length, and chunks that end before it",
      ["content-length: 40", "transfer-encoding: chunked"],
      "0\r\n\r\n",
    ],
    [
      "chunks, and a length that ends before them",
      ["transfer-encoding: chunked", "content-length: 4"],
      "5c\r\n",
    ],
    ["two different lengths", ["content-length: 0", "content-length: 33"], ""],
    ["the same length twice", ["content-length: 0", "content-length: 0"], ""],
    ["lengths in a list", ["content-length: 0, 0"], ""],
    ["a length with a sign", ["content-length: +0"], ""],
    ["a length in hexadecimal", ["content-length: 0x0"], ""],
    ["a length beyond any number", ["content-length: 99999999999999999999999999"], ""],
    ["a length with a space before its colon", ["content-length : 0"], ""],
    ["a coding with a space before its colon", ["transfer-encoding : chunked"], "0\r\n\r\n"],
    ["a coding that is not the last", ["transfer-encoding: chunked, identity"], "0\r\n\r\n"],
    ["an unknown coding", ["transfer-encoding: xchunked"], "0\r\n\r\n"],
    ["a coding after a vertical tab", ["transfer-encoding:\x0bchunked"], "0\r\n\r\n"],
    ["a folded coding", ["transfer-encoding:\r\n chunked"], "0\r\n\r\n"],
    ["a header folded into the next line", ["x-a: b\r\n content-length: 0"], ""],
    ["a header that begins with a space", [" content-length: 0"], ""],
    ["a NUL in a header", ["x-a: b\0c", "content-length: 0"], ""],
    ["a NUL in a header's name", ["x\0a: b", "content-length: 0"], ""],
    ["a bare line feed in a header", ["x-a: b\ncontent-length: 0"], ""],
    ["a bare carriage return in a header", ["x-a: b\rcontent-length: 0"], ""],
    ["a header without a colon", ["content-length", "content-length: 0"], ""],
    ["a header without a name", [": b", "content-length: 0"], ""],
    ["a chunk size with a prefix", ["transfer-encoding: chunked"], "0x0\r\n\r\n"],
    ["a chunk size that overflows", ["transfer-encoding: chunked"], "fffffffffffffffff1\r\n\r\n"],
    ["a negative chunk size", ["transfer-encoding: chunked"], "-1\r\n\r\n"],
    ["a chunk longer than its size", ["transfer-encoding: chunked"], "1\r\nabc\r\n0\r\n\r\n"],
    ["a bare line feed after a chunk's size", ["transfer-encoding: chunked"], "1\na\n0\n\n"],
  ])("%s", async (_case, headers, rest) => {
    served.length = 0;
    const text = await world.raw(head(...headers) + rest + hidden);
    expect(text.match(/HTTP\/1\.1 \d{3}/g)).toEqual(["HTTP/1.1 400"]);
    expect(text).toContain("connection: close");
    expect(served).toEqual([]);
    expect(world.faults).toEqual([]);
  });
});

describe("a request line that is none is refused", () => {
  it.each([
    ["an unknown method", "BREW /graphql HTTP/1.1"],
    ["a method in lower case", "get /graphql HTTP/1.1"],
    ["an overlong method", `${"A".repeat(10_000)} /graphql HTTP/1.1`],
    ["no version", "GET /graphql"],
    ["a version of its own", "GET /graphql HTTP/9.9"],
    ["a NUL in the target", "GET /graph\0ql HTTP/1.1"],
    ["a space in the target", "GET /graph ql HTTP/1.1"],
  ])("%s", async (_case, line) => {
    const text = await world.raw(`${line}\r\nhost: a\r\nconnection: close\r\n\r\n`);
    expect(text.match(/HTTP\/1\.1 \d{3}/g)).toEqual(["HTTP/1.1 400"]);
    expect(text).toContain('"code":"BAD_REQUEST"');
  });

  it.each(["TRACE", "PROPFIND", "PURGE", "M-SEARCH"])(
    "%s, which HTTP knows and GraphQL does not",
    async (method) => {
      const text = await world.raw(
        `${method} /graphql HTTP/1.1\r\nhost: a\r\nx-secret: s\r\nconnection: close\r\n\r\n`,
      );
      expect(text).toMatch(/^HTTP\/1\.1 405 /);
      expect(text).not.toContain("x-secret");
    },
  );
});

describe("a target that is strange", () => {
  it.each([
    "/../graphql",
    "/./graphql",
    "/graphql%00",
    "//a/graphql",
    "http://",
    "*",
    "javascript:alert(1)",
    "http://a/%",
    "/explorer/../../etc/passwd",
    "\\graphql",
    "/%",
    "?",
  ])("%s is not found", async (target) => {
    const text = await world.raw(`GET ${target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 40[04] /);
    expect(world.faults).toEqual([]);
  });

  it("cannot write headers of its own into the answer", async () => {
    const id = "x-request-id: a\x0b\r\n";
    const text = await world.raw(
      `GET /%0d%0aset-cookie:a=b HTTP/1.1\r\nhost: a\r\n${id}connection: close\r\n\r\n`,
    );
    expect(text).not.toMatch(/set-cookie/i);
  });
});
