/** A token is shared only by requests for the same identity, scope set, lifetime and credential. */
import { expect, it } from "@jest/globals";
import fc from "fast-check";
import {
  canonicalScopes,
  checkLifetime,
  tokenKey,
  tokenKeyOfField,
} from "../../../src/services/tokens/token-key";
import { tokenScopes } from "../../../src/services/tokens/token-scope";

const scopes = fc.array(fc.constantFrom(...tokenScopes), { minLength: 1, maxLength: 10 });

it("takes scopes as a set: order and repetition do not matter, everything else does", () => {
  fc.assert(
    fc.property(scopes, scopes, (one, two) => {
      const same =
        new Set(one).size === new Set([...one, ...two]).size &&
        new Set(two).size === new Set([...one, ...two]).size;
      const keyOf = (list: typeof one) => tokenKey("8:acs:x_y", canonicalScopes(list), 60, "cred").text;
      expect(keyOf(one) === keyOf(two)).toBe(same);
      expect(canonicalScopes(one)).toEqual(
        [...new Set(one)].sort((a, b) => tokenScopes.indexOf(a) - tokenScopes.indexOf(b)),
      );
    }),
  );
});

const parts = fc.record({
  identityId: fc.constantFrom("8:acs:x_y", "8:acs:x_yz", "8:acs:x_y 1.60.c"),
  list: scopes,
  minutes: fc.oneof(fc.constantFrom(60, 61, 600, 1440), fc.integer({ min: 60, max: 1440 })),
  // As fingerprints are: base64url.
  credential: fc.oneof(fc.constantFrom("c", "0", "-_"), fc.stringMatching(/^[\w-]{1,22}$/)),
});

it("gives two requests one key only when identity, scope set, lifetime and credential are equal", () => {
  const keyOf = ({
    identityId,
    list,
    minutes,
    credential,
  }: typeof parts extends fc.Arbitrary<infer T> ? T : never) =>
    tokenKey(identityId, canonicalScopes(list), minutes, credential);
  fc.assert(
    fc.property(
      parts,
      parts,
      fc.subarray(["identityId", "list", "minutes", "credential"] as const),
      (one, other, same) => {
        const two = { ...other, ...Object.fromEntries(same.map((name) => [name, one[name]])) };
        const [a, b] = [keyOf(one), keyOf(two)];
        const equalField =
          a.scopes.join() === b.scopes.join() &&
          one.minutes === two.minutes &&
          one.credential === two.credential;
        expect(a.field === b.field).toBe(equalField);
        expect(a.text === b.text).toBe(equalField && one.identityId === two.identityId);
      },
    ),
  );
});

it("finds a key again by its field, and none or some key by any other text", () => {
  fc.assert(
    fc.property(parts, fc.string(), ({ identityId, list, minutes, credential }, text) => {
      const key = tokenKey(identityId, canonicalScopes(list), minutes, credential);
      expect(tokenKeyOfField(identityId, key.field)).toEqual(key);
      expect(() => tokenKeyOfField(identityId, text)).not.toThrow();
    }),
  );
});

it("accepts whole minutes from 60 to 1440 and nothing else", () => {
  for (const minutes of [60, 61, 1439, 1440]) expect(checkLifetime(minutes)).toBe(minutes);
  for (const minutes of [59, 1441, 60.5, 0, -60, NaN, Infinity]) {
    expect(() => checkLifetime(minutes)).toThrow("from 60 to 1440");
  }
});
