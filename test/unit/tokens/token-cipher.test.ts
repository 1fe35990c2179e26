/** What is sealed opens only whole, only under its name, and with any key of the ring. */
import { createSecretKey } from "node:crypto";
import { expect, it } from "@jest/globals";
import fc from "fast-check";
import { fixedKeyRing } from "../../../src/services/tokens/key-ring";
import { TokenCipher } from "../../../src/services/tokens/token-cipher";
import { decodeToken, encodeToken } from "../../../src/services/tokens/token-codec";
import { bitsToScopes, scopesToBits, tokenScopes } from "../../../src/services/tokens/token-scope";

const key = (id: string, fill: number) => ({ id, secret: createSecretKey(Buffer.alloc(32, fill)) });
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));

it("opens what it sealed, for any bytes and any name", () => {
  const cipher = new TokenCipher(fixedKeyRing([key("k1", 1)]));
  fc.assert(
    fc.property(
      bytes,
      fc.string(),
      (plain, name) => cipher.open(cipher.seal(plain, name), name)?.equals(plain) === true,
    ),
  );
});

it("opens nothing under another name", () => {
  const cipher = new TokenCipher(fixedKeyRing([key("k1", 1)]));
  fc.assert(
    fc.property(bytes, fc.string(), fc.string(), (plain, name, other) => {
      fc.pre(name !== other);
      return cipher.open(cipher.seal(plain, name), other) === undefined;
    }),
  );
});

it("opens nothing that lost, gained or changed a byte, and never throws", () => {
  const cipher = new TokenCipher(fixedKeyRing([key("k1", 1)]));
  fc.assert(
    fc.property(bytes, fc.nat(), fc.integer({ min: 1, max: 255 }), (plain, at, mask) => {
      const sealed = cipher.seal(plain, "name");
      const changed = Buffer.from(sealed);
      const index = at % sealed.length;
      changed.writeUInt8((changed[index] ?? 0) ^ mask, index);
      return (
        cipher.open(changed, "name") === undefined &&
        cipher.open(sealed.subarray(0, index), "name") === undefined &&
        cipher.open(Buffer.concat([sealed, Buffer.of(mask)]), "name") === undefined
      );
    }),
  );
});

it("takes any bytes at all for something that does not open, even behind a key id that it has", () => {
  const cipher = new TokenCipher(fixedKeyRing([key("k1", 1)]));
  const head = Buffer.from("\u0002k1");
  fc.assert(
    fc.property(
      fc.oneof(
        bytes,
        bytes.map((garbage) => Buffer.concat([head, garbage])),
      ),
      (garbage) => cipher.open(garbage, "name") === undefined,
    ),
  );
});

it("opens nothing that another key sealed, whether that key's id is known or not", () => {
  const cipher = new TokenCipher(fixedKeyRing([key("k1", 1), key("k2", 2)]));
  fc.assert(
    fc.property(
      bytes,
      fc.constantFrom("k1", "k2", "k3", "", "k11"),
      fc.integer({ min: 3, max: 255 }),
      (plain, id, fill) => {
        const foreign = new TokenCipher(fixedKeyRing([key(id, fill)]));
        return cipher.open(foreign.seal(plain, "name"), "name") === undefined;
      },
    ),
  );
});

it("rotates: the first key seals, every key opens, a removed key's values are misses", () => {
  const plain = Buffer.from("token");
  const [old, added] = [key("old", 1), key("new", 2)];
  const before = new TokenCipher(fixedKeyRing([old])).seal(plain, "n");
  const during = new TokenCipher(fixedKeyRing([added, old]));
  const after = new TokenCipher(fixedKeyRing([added]));
  expect(during.open(before, "n")).toEqual(plain);
  expect(after.open(during.seal(plain, "n"), "n")).toEqual(plain);
  expect(after.open(before, "n")).toBeUndefined();
});

it("seals the same bytes differently each time", () => {
  const cipher = new TokenCipher(fixedKeyRing([key("k1", 1)]));
  expect(cipher.seal(Buffer.from("t"), "n")).not.toEqual(cipher.seal(Buffer.from("t"), "n"));
});

const part = bytes.map((each) => each.toString("base64url"));
const tokenText = fc.oneof(
  fc.tuple(part, part, part).map((parts) => parts.join(".")),
  fc.string({ minLength: 1 }),
);

it("writes and reads any token exactly, whether it looks like a JWT or not", () => {
  fc.assert(
    fc.property(
      tokenText.filter((text) => text !== ""),
      fc.integer({ min: 0, max: 2 ** tokenScopes.length - 1 }),
      fc.integer({ min: 0, max: 8.64e15 }),
      (token, bits, expiresOn) => {
        const value = { token, scopes: bitsToScopes(bits), expiresOn };
        expect(decodeToken(encodeToken(value))).toEqual(value);
      },
    ),
  );
});

it("takes any bytes at all for a whole token or for none, and never throws", () => {
  // The first byte is the format: mostly one that exists.
  const encoded = fc.tuple(fc.oneof(fc.constantFrom(0, 1), fc.nat(255)), bytes);
  fc.assert(
    fc.property(encoded, ([format, rest]) => {
      const decoded = decodeToken(Buffer.concat([Buffer.of(format), rest]));
      if (!decoded) return;
      expect(typeof decoded.token).toBe("string");
      expect([0, 1]).toContain(format);
      expect(scopesToBits(decoded.scopes)).toBe(rest[0]);
      expect(new Date(decoded.expiresOn).getTime()).not.toBeNaN();
    }),
  );
});

it("takes a token that was cut for none, or for another", () => {
  fc.assert(
    fc.property(part, part, part, fc.nat(), (header, payload, signature, at) => {
      const value = {
        token: [header, payload, signature].join("."),
        scopes: ["chat"],
        expiresOn: 2e12,
      } as const;
      const encoded = encodeToken(value);
      expect(decodeToken(encoded.subarray(0, at % encoded.length))).not.toEqual(value);
    }),
  );
});

it("keeps a JWT in fewer bytes than its text", () => {
  const token = [30, 600, 256].map((length) => Buffer.alloc(length, 65).toString("base64url")).join(".");
  const size = encodeToken({ token, scopes: ["chat"], expiresOn: 2e12 }).length;
  expect(size).toBeLessThan(token.length * 0.78);
});
