/** Where a request came from: the socket says, or a proxy that is trusted to. */
import type { IncomingMessage } from "node:http";
import { isIPv6 } from "node:net";
import proxyAddress from "proxy-addr";

/** Tells a client's address. */
export type ClientAddress = (request: IncomingMessage) => string;

/**
 * Believes `x-forwarded-for` as far as trusted proxies have written it: from the right, until the first address that is
 * not one of theirs. What stands left of it, anybody can have written.
 * @param trusted addresses and networks, or `loopback`, `linklocal`, `uniquelocal`. Empty: the socket alone is believed.
 */
export function clientAddress(trusted: readonly string[]): ClientAddress {
  if (trusted.length === 0) return ({ socket }) => plain(socket.remoteAddress);
  const trust = proxyAddress.compile([...trusted]);
  return (request) => {
    // It throws for a socket that has gone.
    if (request.socket.remoteAddress === undefined) return "unknown";
    return plain(proxyAddress(request, trust));
  };
}

/** What limits count by: an IPv4 address, or the /64 that a customer has of IPv6 (RFC 6177). */
export function addressGroup(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = "", tail] = address.toLowerCase().split("%")[0]?.split("::") ?? [];
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array.from({ length: Math.max(0, zeros) }, () => "0"), ...right];
  const network = groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ""));
  return `${network.join(":")}::/64`;
}

/** IPv4 in its own form, also where it came in through an IPv6 socket. An entry of a proxy may be any text: it is cut. */
function plain(address: string | undefined): string {
  return address?.replace(/^::ffff:(?=\d+\.)/i, "").slice(0, 64) ?? "unknown";
}
