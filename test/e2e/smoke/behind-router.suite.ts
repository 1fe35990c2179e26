/** What must hold behind every router that composes the gateway with another subgraph. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { GraphqlClient } from "../../support/graphql-client";
import type { Subgraph } from "../federation/subgraph";
import { count, startTwoSubgraphs, type TwoSubgraphs } from "../federation/two-subgraphs";

const profiles = "{ profiles { name identity { id cachedTokens { scopes } } } }";

interface Profiles {
  readonly profiles: readonly {
    readonly name: string;
    readonly identity: { readonly id: string; readonly cachedTokens: readonly { scopes: string[] }[] } | null;
  }[];
}

/**
 * Describes it for the router that `program`, a file of this folder, starts.
 * @param described what is composed, of the two subgraphs
 */
export function describeBehind(
  router: string,
  program: string,
  described = (subgraphs: readonly Subgraph[]) => subgraphs,
): void {
  describe(`behind ${router}`, () => {
    let two: TwoSubgraphs;
    let url: string;
    beforeAll(async () => {
      two = await startTwoSubgraphs();
      const { told } = await two.startRouter(program, described(two.subgraphs));
      const { hints } = told as { hints: string[] };
      ({ url } = told as { url: string });
      expect(hints).toEqual([]);
    }, 60_000);
    afterAll(() => two.close());
    const clientOf = async (subject: string, ...rights: readonly string[]) =>
      new GraphqlClient(url, await two.headersOf(subject, ...rights));

    it("answers for a list of entities at the cost of one Redis round trip", async () => {
      const client = await clientOf("backend", "identity:read:any");
      await client.data<Profiles, object>(profiles);
      two.toRedis.forget();
      const answer = await client.data<Profiles, object>(profiles);
      expect(answer.profiles.map(({ identity }) => identity?.id)).toEqual(two.identityIds);
      const [, ...others] = answer.profiles.map(({ identity }) => identity?.cachedTokens.length);
      expect(others).toEqual(Array.from({ length: count - 1 }, () => 1));
      const withScripts = two.toRedis.pieces().filter((piece) => /evalsha/i.test(piece));
      expect(withScripts).toHaveLength(1);
      expect(withScripts[0]?.match(/evalsha/gi)).toHaveLength(count);
    });

    it("lets each see what is theirs", async () => {
      const client = await clientOf("ada");
      const { data, errors } = await client.send<Profiles>(profiles);
      expect(data?.profiles.map(({ identity }) => identity?.id)).toEqual([
        two.identityIds[0],
        ...Array.from({ length: count - 1 }, () => undefined),
      ]);
      expect(errors).toHaveLength(count - 1);
      expect(new Set(errors?.map(({ extensions }) => extensions.code))).toEqual(new Set(["FORBIDDEN"]));
    });

    it("refuses callers who do not say who they are", async () => {
      const { errors } = await new GraphqlClient(url).send("{ viewer { name } }");
      expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["UNAUTHENTICATED"]);
    });

    it("issues a token, and the other subgraph adds what it knows of the identity", async () => {
      const client = await clientOf("ada");
      const issue =
        "mutation { issueToken(input: { scopes: [CHAT] }) { identity { id profile { name } } accessToken { token source } } }";
      const { issueToken } = await client.data<
        { issueToken: { identity: object; accessToken: { token: string } } },
        object
      >(issue);
      expect(issueToken.identity).toEqual({ id: two.identityIds[0], profile: { name: "user 0" } });
      expect(issueToken.accessToken.token).toMatch(/^eyJ/);
    });

    it("passes on what is wrong, with its code and data", async () => {
      const client = await clientOf("ada");
      const { errors } = await client.send(
        "mutation { issueToken(input: { scopes: [CHAT], expiresInMinutes: 5 }) { accessToken { source } } }",
      );
      expect(errors).toHaveLength(1);
      expect(errors?.[0]?.extensions).toMatchObject({
        code: "BAD_USER_INPUT",
        argument: "input.expiresInMinutes",
      });
    });
  });
}
