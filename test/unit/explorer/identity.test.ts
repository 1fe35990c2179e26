/** Proves which variables the explorer fills an identity into, and that it leaves what was typed. */
import { beforeEach, describe, expect, it } from "@jest/globals";
import { fillIn, lastIdentity, noteIdentity, onIdentity } from "../../../explorer/identity";

const variables = (identityId: string) => JSON.stringify({ identityId, scopes: ["VOIP"] }, null, 2);

describe("filling in an identity", () => {
  it.each([
    ["an empty one", "", "a", undefined, "a"],
    ["the one filled in before", "a", "b", "a", "b"],
    ["the one filled in before, once it is deleted", "a", undefined, "a", ""],
  ])("replaces %s and leaves the other variables", (_, held, identity, before, expected) => {
    expect(fillIn(variables(held), identity, before)).toBe(variables(expected));
  });

  it.each([
    ["an identity that was typed", variables("typed"), "b", "a"],
    ["an identity that was typed before any was filled in", variables("typed"), "b", undefined],
    ["what holds it already", variables("a"), "a", "a"],
    ["an empty one while no identity is known", variables(""), undefined, undefined],
    ["variables without an identity", `{ "scopes": [] }`, "a", undefined],
    ["variables that are being written", `{ "identityId": "`, "a", undefined],
    ["no variables", "", "a", undefined],
    ["JSON that is no object", "null", "a", undefined],
  ])("does not touch %s", (_, text, identity, before) => {
    expect(fillIn(text, identity, before)).toBeUndefined();
  });
});

describe("noting identities in answers", () => {
  beforeEach(() => {
    noteIdentity({ data: { createIdentity: { identity: { id: "a" } } } });
  });

  it("keeps the last one", () => {
    noteIdentity({ data: { issueToken: { identity: { id: "b" }, accessToken: { token: "t" } } } });
    expect(lastIdentity()).toBe("b");
  });

  it("forgets it when it is deleted, not when another is", () => {
    noteIdentity({ data: { deleteIdentity: { deletedId: "another" } } });
    expect(lastIdentity()).toBe("a");
    noteIdentity({ data: { deleteIdentity: { deletedId: "a" } } });
    expect(lastIdentity()).toBeUndefined();
  });

  it.each([
    [{ errors: [] }],
    [{ data: null }],
    [{ data: { viewer: null } }],
    [{ data: { viewer: { identity: null } } }],
  ])("keeps what it knew after %j", (answer) => {
    noteIdentity(answer);
    expect(lastIdentity()).toBe("a");
  });

  it("tells listeners until they leave", () => {
    const heard: (string | undefined)[] = [];
    const leave = onIdentity(() => heard.push(lastIdentity()));
    noteIdentity({ data: { createIdentity: { identity: { id: "b" } } } });
    leave();
    noteIdentity({ data: { createIdentity: { identity: { id: "c" } } } });
    expect(heard).toEqual(["b"]);
  });
});
