/** A cached token as few bytes: a JWT's three base64url parts are kept decoded, a quarter smaller. */
import { bitsToScopes, scopesToBits } from "./token-scope";
import type { CachedToken } from "./token-store";

const format = { text: 0, jwt: 1 } as const;
const headBytes = 10;
/** What a Date can hold (ECMAScript, 21.4.1.1). */
const maxTime = 8.64e15;

/** Layout: format, scope bits, expiresOn (8 bytes, milliseconds), then the token as text or as length-prefixed parts. */
export function encodeToken({ token, scopes, expiresOn }: CachedToken): Buffer {
  const parts = jwtParts(token);
  const head = Buffer.alloc(headBytes);
  head.writeUInt8(parts ? format.jwt : format.text, 0);
  head.writeUInt8(scopesToBits(scopes), 1);
  head.writeDoubleBE(expiresOn, 2);
  if (!parts) return Buffer.concat([head, Buffer.from(token)]);
  const [header, payload, signature] = parts;
  const lengths = Buffer.alloc(4);
  lengths.writeUInt16BE(header.length, 0);
  lengths.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, lengths, header, payload, signature]);
}

/** The token that {@link encodeToken} wrote, or undefined for anything else. */
export function decodeToken(bytes: Buffer): CachedToken | undefined {
  if (bytes.length <= headBytes) return undefined;
  const [kind, bits, expiresOn] = [bytes.readUInt8(0), bytes.readUInt8(1), bytes.readDoubleBE(2)];
  const scopes = bitsToScopes(bits);
  // Sealed by us, but perhaps by a version that wrote something else.
  if (scopesToBits(scopes) !== bits || !(expiresOn >= 0 && expiresOn <= maxTime)) return undefined;
  const token =
    kind === format.jwt
      ? joinJwt(bytes)
      : kind === format.text
        ? bytes.toString("utf8", headBytes)
        : undefined;
  return token === undefined ? undefined : { token, scopes, expiresOn };
}

function joinJwt(bytes: Buffer): string | undefined {
  const start = headBytes + 4;
  if (bytes.length < start) return undefined;
  const payloadStart = start + bytes.readUInt16BE(headBytes);
  const signatureStart = payloadStart + bytes.readUInt16BE(headBytes + 2);
  if (signatureStart > bytes.length) return undefined;
  return [
    bytes.toString("base64url", start, payloadStart),
    bytes.toString("base64url", payloadStart, signatureStart),
    bytes.toString("base64url", signatureStart),
  ].join(".");
}

/** The three parts decoded, if encoding them again gives the very same text. */
function jwtParts(token: string): [Buffer, Buffer, Buffer] | undefined {
  const [header, payload, signature] = token.split(".").map((part) => Buffer.from(part, "base64url"));
  if (!header || !payload || !signature || header.length > 0xffff || payload.length > 0xffff)
    return undefined;
  const again = [header, payload, signature].map((part) => part.toString("base64url")).join(".");
  return again === token ? [header, payload, signature] : undefined;
}
