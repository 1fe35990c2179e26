/** Entries of OIDC_ISSUERS: what their fields mean, and what is refused at the start. */
import { describe, expect, it } from "@jest/globals";
import { parseOidcIssuers } from "../../../src/services/access/oidc-issuer";

const one = "https://login.example.com audience=a";
const other = "https://other.example.com audience=a";

it("has defaults for everything but the audience", () => {
  expect(parseOidcIssuers(one).value).toEqual([
    expect.objectContaining({
      algorithms: ["RS256", "PS256", "ES256", "EdDSA"],
      types: ["at+jwt", "jwt"],
      required: [],
      clockToleranceSeconds: 5,
      subjectClaim: "sub",
      identityClaim: undefined,
    }),
  ]);
});

it.each([
  ["require=scp:access", { required: [{ claim: "scp", value: "access" }] }],
  [
    "require=ver:2.0 require=scp:a:b",
    {
      required: [
        { claim: "ver", value: "2.0" },
        { claim: "scp", value: "a:b" },
      ],
    },
  ],
  [
    "require=https://example.com/roles:admin",
    { required: [{ claim: "https://example.com/roles", value: "admin" }] },
  ],
  [
    "guests=https://example.com/roles:guest",
    { guests: { claim: "https://example.com/roles", value: "guest" } },
  ],
  ["algorithms=ES384+RS512", { algorithms: ["ES384", "RS512"] }],
  ["clock-tolerance=0", { clockToleranceSeconds: 0 }],
  ["clock-tolerance=300", { clockToleranceSeconds: 300 }],
  ["subject-claim=oid", { subjectClaim: "oid" }],
])("%s", (fields, meaning) => {
  expect(parseOidcIssuers(`${one} ${fields}`).value).toEqual([expect.objectContaining(meaning)]);
});

describe("refuses", () => {
  it.each([
    [`${one} require=scp`, "must give https://login.example.com require=<claim>:<value>"],
    [`${one} require=scp:`, "require=<claim>:<value>"],
    [`${one} require=:access`, "require=<claim>:<value>"],
    [`${one} require=https://example.com/roles`, "require=<claim>:<value>"],
    [`${one} guests=role`, "guests=all or guests=<claim>:<value>"],
    [`${one} algorithms=HS256`, "algorithms among RS256"],
    [`${one} algorithms=RS256+none`, "algorithms among RS256"],
    [`${one} algorithms=es384`, "algorithms among RS256"],
    [`${one} clock-tolerance=301`, "a clock-tolerance from 0 to 300"],
    [`${one} clock-tolerance=-1`, "a clock-tolerance from 0 to 300"],
    [`${one} clock-tolerance=5s`, "a clock-tolerance from 0 to 300"],
    [`${one} subject-claim=oid subject-claim=sub`, "one subject-claim"],
    [`${one} subject-claim=oid, https://login.example.com audience=b`, "the same subject-claim"],
    [`${one} identity-claim=acs, ${other} identity-claim=acs`, "identity-claim to one issuer only"],
    [`${one} identity-claim=acs, ${other} identity-claim=acs_identity`, "identity-claim to one issuer only"],
    [
      `${one}, ${other} identity-claim=acs, https://third.example.com audience=a identity-claim=acs`,
      "to one issuer only",
    ],
  ])("%s", (text, problem) => {
    const meaning = parseOidcIssuers(text);
    expect(meaning.value).toBeUndefined();
    expect(meaning.problem).toContain(problem);
  });
});

it("takes one issuer that names identities under several audiences, beside others that do not", () => {
  const text = `${one} identity-claim=acs, https://login.example.com audience=b identity-claim=acs, ${other}`;
  expect(parseOidcIssuers(text).problem).toBeUndefined();
});
