/** The gateway as a subgraph beside another, for tests of the routers that people use. */
import { join } from "node:path";
import { CreateIdentityDocument, IssueTokenDocument } from "../../../operations/generated/operations";
import { ClosingList } from "../../../src/closing-list";
import { withoutAccessDirectives } from "../../../src/schema/access-directives";
import { makeDirectoryFolder } from "../../support/directory-folder";
import { GraphqlClient } from "../../support/graphql-client";
import { audience, startIssuer } from "../../support/issuer";
import { startRedis } from "../../support/redis-server";
import { startTcpProxy } from "../../support/tcp-proxy";
import { until } from "../../support/until";
import { encryptionKeys, startWorld, type World } from "../../support/world";
import { startProcess, type ReadyProcess } from "./processes";
import { describeSubgraph, type Subgraph } from "./subgraph";

/** How many users there are: the first is ada. */
export const count = 20;

export interface TwoSubgraphs {
  readonly world: World;
  readonly subgraphs: readonly Subgraph[];
  /** Of the users, in the order of their profiles. */
  readonly identityIds: readonly string[];
  /** What the gateway has sent to Redis since `forget`. */
  readonly toRedis: { pieces(): readonly string[]; forget(): void };
  /** What a caller sends: a user's access token, or that of a service that signs in at the issuer and has these rights. */
  headersOf(subject: string, ...rights: readonly string[]): Promise<{ readonly authorization: string }>;
  /** Starts a router, a program of this folder, which composes them. */
  startRouter(program: string, subgraphs?: readonly Subgraph[]): Promise<ReadyProcess>;
  /** Ends it all, routers too. */
  close(): Promise<void>;
}

/** For a router that knows nothing of the directives that say who may call what. */
export const withoutDirectives = (subgraphs: readonly Subgraph[]): readonly Subgraph[] =>
  subgraphs.map((each) => ({ ...each, sdl: withoutAccessDirectives(each.sdl) }));

/** Starts both, with users in the one and their profiles in the other. */
export async function startTwoSubgraphs(): Promise<TwoSubgraphs> {
  const running = new ClosingList();
  try {
    const issuer = running.add(await startIssuer());
    const redis = running.add(await startRedis());
    const proxy = running.add(await startTcpProxy(redis.port));
    let pieces: string[] = [];
    proxy.onPiece = (piece) => pieces.push(piece.toString("latin1"));
    const directory = running.add(await makeDirectoryFolder());
    const headersOf = async (subject: string, ...rights: readonly string[]) => ({
      authorization: `Bearer ${await issuer.token(subject, { scope: rights.join(" ") })}`,
    });
    const world = running.add(
      await startWorld({
        environment: {
          REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
          TOKEN_ENCRYPTION_KEYS: encryptionKeys,
          DIRECTORY_PATH: directory.path,
          OIDC_ISSUERS: `${issuer.url} audience=${audience} jwks=${issuer.jwksUrl} rights=identity:read:any`,
        },
      }),
    );
    const identityIds = await makeUsers(world, new GraphqlClient(world.client.url, await headersOf("ada")));
    const start = async (program: string, argument: unknown) =>
      running.add(await startProcess(join(__dirname, program), [JSON.stringify(argument)]));
    const profiles = await start("profiles.mjs", identityIds);
    const subgraphs = await Promise.all([
      describeSubgraph("tokens", world.client.url),
      describeSubgraph("profiles", String(profiles.told)),
    ]);
    return {
      world,
      subgraphs,
      identityIds,
      toRedis: { pieces: () => pieces, forget: () => void (pieces = []) },
      headersOf,
      startRouter: (program, described = subgraphs) => start(program, described),
      close: () => running[Symbol.asyncDispose](),
    };
  } catch (error) {
    await running[Symbol.asyncDispose]();
    throw error;
  }
}

/** One identity of ada's own, and the others, each with a token that is cached. */
async function makeUsers(world: World, ada: GraphqlClient): Promise<readonly string[]> {
  const { viewer } = await ada.data<{ viewer: { identity: { id: string } } }, object>(
    "{ viewer { identity { id } } }",
  );
  const identityIds = [viewer.identity.id];
  // One by one: a gateway that is asked for all at once on a busy machine goes on without Redis.
  while (identityIds.length < count) {
    const { createIdentity } = await world.client.data(CreateIdentityDocument);
    const identityId = createIdentity.identity.id;
    await until(async () => {
      const { issueToken } = await world.client.data(IssueTokenDocument, { identityId, scopes: ["CHAT"] });
      return issueToken.accessToken.source === "CACHE";
    });
    identityIds.push(identityId);
  }
  return identityIds;
}
