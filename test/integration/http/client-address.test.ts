/** Proves whose word is taken for where a request came from, and which addresses count as one. */
import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "@jest/globals";
import { addressGroup, clientAddress } from "../../../src/server/client-address";
import { SmallWorld } from "./http-world";

/** The request of a peer, as far as its address goes. */
const requestOf = (peer: string | undefined, forwardedFor?: string) =>
  ({
    socket: { remoteAddress: peer },
    headers: forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor },
  }) as unknown as IncomingMessage;

describe("a client's address", () => {
  it.each([
    ["the peer's, without proxies", [], "203.0.113.9", undefined, "203.0.113.9"],
    ["the peer's, whatever it claims", [], "203.0.113.9", "198.51.100.1", "203.0.113.9"],
    ["the peer's, when it is no trusted proxy", ["10.0.0.0/8"], "203.0.113.9", "198.51.100.1", "203.0.113.9"],
    [
      "the trusted proxy's own, when it forwards for nobody",
      ["10.0.0.0/8"],
      "10.0.0.1",
      undefined,
      "10.0.0.1",
    ],
    ["what the trusted proxy has written", ["10.0.0.0/8"], "10.0.0.1", "198.51.100.1", "198.51.100.1"],
    [
      "not what the client wrote left of it",
      ["10.0.0.0/8"],
      "10.0.0.1",
      "1.2.3.4, 198.51.100.1",
      "198.51.100.1",
    ],
    [
      "not a trusted proxy's that the client made up",
      ["10.0.0.0/8"],
      "10.0.0.1",
      "10.0.0.7, 198.51.100.1",
      "198.51.100.1",
    ],
    [
      "seen through several proxies",
      ["10.0.0.0/8"],
      "10.0.0.1",
      "1.2.3.4, 198.51.100.1, 10.0.0.3, 10.0.0.2",
      "198.51.100.1",
    ],
    ["the left-most, where all are proxies", ["10.0.0.0/8"], "10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"],
    ["the proxy's, in front of garbage", ["10.0.0.0/8"], "10.0.0.1", "198.51.100.1, garbage", "10.0.0.1"],
    ["the last proxy's, in front of garbage", ["10.0.0.0/8"], "10.0.0.1", "<script>, 10.0.0.2", "10.0.0.2"],
    ["the proxy's, where it says that it does not know", ["10.0.0.0/8"], "10.0.0.1", "unknown", "10.0.0.1"],
    ["the proxy's, for an empty list", ["10.0.0.0/8"], "10.0.0.1", " , ,", "10.0.0.1"],
    ["without the port that a proxy adds", ["10.0.0.0/8"], "10.0.0.1", "198.51.100.1:4711", "198.51.100.1"],
    ["without brackets and port", ["10.0.0.0/8"], "10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"],
    ["without brackets", ["10.0.0.0/8"], "10.0.0.1", "[2001:db8::1]", "2001:db8::1"],
    [
      "seen through proxies that add ports",
      ["10.0.0.0/8"],
      "10.0.0.1",
      "198.51.100.1:1, 10.0.0.2:80",
      "198.51.100.1",
    ],
    ["IPv4 in its own form, on an IPv6 socket", [], "::ffff:203.0.113.9", undefined, "203.0.113.9"],
    [
      "IPv4 in its own form, from a proxy on an IPv6 socket",
      ["10.0.0.0/8"],
      "::ffff:10.0.0.1",
      "::ffff:198.51.100.1",
      "198.51.100.1",
    ],
    ["IPv4 in its own form, written in hexadecimal", ["loopback"], "::1", "::ffff:c633:6401", "198.51.100.1"],
    ["of a proxy named by a word", ["loopback"], "127.0.0.1", "198.51.100.1", "198.51.100.1"],
    ["IPv6, through a proxy with IPv6", ["fd00::/8"], "fd00::1", "2001:db8::1", "2001:db8::1"],
    ["unknown, when the socket has gone", [], undefined, "198.51.100.1", "unknown"],
    ["unknown, when a proxy's socket has gone", ["10.0.0.0/8"], undefined, "198.51.100.1", "unknown"],
  ] as const)("is %s", (_case, trusted, peer, forwardedFor, address) => {
    expect(clientAddress(trusted)(requestOf(peer, forwardedFor))).toBe(address);
  });

  it("is found in no more than a moment, however long the list is", () => {
    const before = performance.now();
    const list = "10.0.0.2,".repeat(1_600) + "10.0.0.2";
    expect(clientAddress(["10.0.0.0/8"])(requestOf("10.0.0.1", list))).toBe("10.0.0.2");
    expect(performance.now() - before).toBeLessThan(1_000);
  });

  it("is read from all the headers of a request, in their order", async () => {
    await using world = await SmallWorld.start({
      http: { trustedProxies: ["127.0.0.1"] },
      fields: { address: ({ address }) => address },
    });
    const body = '{"query":"{ field(name: \\"address\\") }"}';
    const text = await world.raw(
      "POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nconnection: close\r\n" +
        `content-length: ${body.length}\r\nx-forwarded-for: 1.2.3.4\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n${body}`,
    );
    expect(text).toContain('{"field":"198.51.100.1"}');
  });
});

describe("a proxy that is not trusted", () => {
  it("is told of, once, when a request says that it came through one", async () => {
    const told = (world: SmallWorld) =>
      world.events.lines.filter((line) => line.includes("TRUSTED_PROXIES")).length;
    const fields = { address: ({ address }: { address: string }) => address };
    const query = { query: '{ field(name: "address") }' };
    await using world = await SmallWorld.start({ fields });
    await world.post(query);
    expect(told(world)).toBe(0);
    for (let count = 0; count < 3; count++) await world.post(query, { "x-forwarded-for": "198.51.100.1" });
    expect(told(world)).toBe(1);
    await using trusting = await SmallWorld.start({ fields, http: { trustedProxies: ["loopback"] } });
    await trusting.post(query, { "x-forwarded-for": "198.51.100.1" });
    expect(told(trusting)).toBe(0);
  });
});

describe("addresses that count as one", () => {
  it.each([
    ["203.0.113.9", "203.0.113.9"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:DB8:0001:0002::1", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:db8::2:3:4:5:6", "2001:db8:0:2::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["1:2:3:4:5:6:198.51.100.1", "1:2:3:4::/64"],
    ["1:2:3::198.51.100.1", "1:2:3:0::/64"],
    ["1::4:5:6:198.51.100.1", "1:0:0:4::/64"],
    ["unknown", "unknown"],
  ])("%s counts as %s", (address, group) => {
    expect(addressGroup(address)).toBe(group);
  });
});
