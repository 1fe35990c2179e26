/** Where a request came from: the socket says, or a proxy that is trusted to. */
import type { IncomingMessage } from "node:http";
import { isIPv4, isIPv6 } from "node:net";
import proxyAddress from "proxy-addr";

/** Tells a client's address, or `unknown` when its socket has gone. */
export type ClientAddress = (request: IncomingMessage) => string;

/**
 * Believes `x-forwarded-for` as far as trusted proxies have written it: from the right, until the first address that is
 * not one of theirs. What stands left of it, anybody can have written. Where a proxy has written no address (`unknown`,
 * RFC 7239), the proxy's own is the answer.
 * @param trusted addresses and networks, or `loopback`, `linklocal`, `uniquelocal`. Empty: the socket alone is believed.
 * @param onForwarded called once, when a request has the header and nobody is trusted to write it.
 */
export function clientAddress(trusted: readonly string[], onForwarded?: () => void): ClientAddress {
  if (trusted.length === 0) return peerAddress(onForwarded);
  const isTrusted = proxyAddress.compile([...trusted]);
  return ({ socket, headers }) => {
    if (socket.remoteAddress === undefined) return "unknown";
    let address = canonical(socket.remoteAddress);
    const entries = String(headers["x-forwarded-for"] ?? "").split(",");
    for (let hop = 0; entries.length > 0 && isTrusted(address, hop); hop++) {
      const entry = entries.pop()?.trim() ?? "";
      if (entry === "") continue;
      const next = addressIn(entry);
      if (next === undefined) break;
      address = next;
    }
    return address;
  };
}

function peerAddress(onForwarded: (() => void) | undefined): ClientAddress {
  let told = onForwarded === undefined;
  // A connection has one for all its requests.
  const known = new WeakMap<object, string>();
  return ({ socket, headers }) => {
    if (!told && headers["x-forwarded-for"] !== undefined) {
      told = true;
      onForwarded?.();
    }
    let address = known.get(socket);
    if (address === undefined) {
      if (socket.remoteAddress === undefined) return "unknown";
      address = canonical(socket.remoteAddress);
      known.set(socket, address);
    }
    return address;
  };
}

/** What limits count by: an IPv4 address, or the /64 that a customer has of IPv6 (RFC 6177). */
export function addressGroup(address: string): string {
  if (!isIPv6(address)) return address;
  const plain = canonical(address);
  if (isIPv4(plain)) return plain;
  const [head = "", tail] = plain.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return `${[...left, ...zeros, ...right].slice(0, 4).join(":")}::/64`;
}

/** The address of an entry; some proxies add a port: `198.51.100.1:4711`, `[2001:db8::1]:443`. */
function addressIn(entry: string): string | undefined {
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(entry)?.[1] ?? /^([\d.]+):\d+$/.exec(entry)?.[1] ?? entry;
  return isIPv4(bare) || isIPv6(bare) ? canonical(bare) : undefined;
}

/** IPv4 in its own form, also where it came in through an IPv6 socket; IPv6 in one form (RFC 5952), without its zone. */
function canonical(address: string): string {
  if (isIPv4(address)) return address;
  const mapped = /^::ffff:(\d[\d.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const url = `http://[${address.split("%")[0] ?? ""}]`;
  if (!URL.canParse(url)) return address;
  const plain = new URL(url).hostname.slice(1, -1);
  const words = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(plain)?.slice(1);
  if (words === undefined) return plain;
  return words.flatMap((word) => [parseInt(word, 16) >> 8, parseInt(word, 16) & 255]).join(".");
}
