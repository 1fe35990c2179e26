/** A token is shared only by requests for the same identity, scope set, lifetime and credential. */
import { expect, it } from "@jest/globals";
import fc from "fast-check";
import {
  canonicalScopes,
  checkLifetime,
  tokenKey,
  tokenKeyOfField,
} from "../../src/services/tokens/token-key";
import { tokenScopes } from "../../src/services/tokens/token-scope";

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

it("finds a key again by its field", () => {
  fc.assert(
    fc.property(scopes, fc.integer({ min: 60, max: 1440 }), (list, minutes) => {
      const key = tokenKey("8:acs:x_y", canonicalScopes(list), minutes, "cr-_d");
      expect(tokenKeyOfField("8:acs:x_y", key.field)).toEqual(key);
    }),
  );
});

it("accepts whole minutes from 60 to 1440 and nothing else", () => {
  for (const minutes of [60, 61, 1439, 1440]) expect(checkLifetime(minutes)).toBe(minutes);
  for (const minutes of [59, 1441, 60.5, 0, -60, NaN, Infinity]) {
    expect(() => checkLifetime(minutes)).toThrow("from 60 to 1440");
  }
});
