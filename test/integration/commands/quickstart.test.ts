/** `quickstart` against a running gateway: the lines that it prints are true, and its failures readable. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { announced, Program, runProgram, type Announced } from "../../support/program";

let gateway: Program;
let where: Announced;
beforeAll(async () => {
  gateway = new Program({});
  where = await announced(gateway);
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

const id = String.raw`8:acs:[0-9a-f-]{36}_[0-9a-f-]{36}`;
const time = String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`;

describe("the quickstart", () => {
  it("prints each finished step with what came of it", async () => {
    const { code, stdout, stderr } = await runProgram({
      args: ["quickstart", "--url", where.url, "--api-key", where.apiKey, "--emulator", where.emulator],
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const token = (scope: string) => [
      `Issued an access token with '${scope}' scope for identity with ID: ${id}:`,
      String.raw`eyJ[\w-]+\.[\w-]+\.[\w-]+`,
      `It expires on ${time}\\.`,
    ];
    const lines = [
      "Azure Communication Services - Access Tokens Quickstart, through GraphQL",
      "",
      "== Create an identity ==",
      `Created an identity with ID: ${id}`,
      "",
      "== Issue access tokens ==",
      ...token("voip"),
      ...token("chat"),
      "",
      "== Create an identity and issue a token in the same request ==",
      `Created an identity with ID: ${id}`,
      ...token("voip"),
      "",
      "== Refresh an access token ==",
      ...token("voip"),
      String.raw`The gateway answered from its cache: Azure was not asked again\.`,
      "",
      "== Revoke access tokens ==",
      `Successfully revoked all access tokens for identity with ID: ${id}`,
      String.raw`The service no longer accepts the old token\.`,
      ...token("voip"),
      String.raw`The next answer is a new token\.`,
      "",
      "== Delete the identities ==",
      `Successfully deleted the identity with ID: ${id}`,
      `Successfully deleted the identity with ID: ${id}`,
    ];
    const printed = stdout.trimEnd().split("\n");
    expect(printed).toEqual(lines.map((line) => expect.stringMatching(new RegExp(`^${line}$`)) as unknown));

    const [voip, chat, both, again, renewed] = printed.filter((line) => line.startsWith("eyJ"));
    expect(again).toBe(voip);
    expect(new Set([voip, chat, both, renewed]).size).toBe(4);
    // Nothing is left of it at the service.
    const answer = await fetch(new URL("/_emulator/identities", where.emulator));
    const { identities } = (await answer.json()) as { identities: { deleted: boolean }[] };
    expect(identities.map(({ deleted }) => deleted)).toEqual([true, true]);
  });

  it("takes the key from the environment, and does without an emulator", async () => {
    const { code, stdout } = await runProgram({
      args: ["quickstart", "--url", where.url, "--emulator", "http://127.0.0.1:1"],
      environment: { API_KEY: where.apiKey },
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Azure refuses the old tokens everywhere by ${time}\\.$`, "m"));
  });

  it.each([
    ["no key", [], /needs an API key/],
    ["a wrong key", ["--api-key", "not-the-key-of-this-gateway"], /answers UNAUTHENTICATED: /],
    ["no gateway", ["--api-key", "any", "--url", "http://127.0.0.1:1/graphql"], /No gateway answers at/],
  ])("tells in one line that there is %s", async (_title, args, message) => {
    const ended = await runProgram({ args: ["quickstart", "--url", where.url, ...args] });
    expect(ended.code).toBe(1);
    expect(ended.stderr.trimEnd().split("\n")).toEqual([expect.stringMatching(message)]);
  });
});
