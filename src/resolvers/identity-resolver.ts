/** viewer, identity, createIdentity, deleteIdentity, and what is cached for an identity. */
import {
  Arg,
  Authorized,
  Ctx,
  Directive,
  FieldResolver,
  ID,
  Mutation,
  Query,
  Resolver,
  Root,
} from "type-graphql";
import { GatewayError } from "../errors";
import { CachedToken } from "../schema/access-token";
import { Identity } from "../schema/identity";
import {
  CreateIdentityInput,
  CreateIdentityPayload,
  DeleteIdentityInput,
  DeleteIdentityPayload,
} from "../schema/identity-operations";
import type { TokenScope } from "../schema/token-scope";
import { Viewer, type CallerKind } from "../schema/viewer";
import { checkIdentityId } from "../services/identities/identity-id";
import { IdentityService } from "../services/identities/identity-service";
import type { RequestContext } from "./request-context";
import { toAccessToken } from "./to-access-token";

/** The identity that a federation router refers to: its id is checked like any other argument. */
export function identityByReference({ id }: Readonly<Record<string, unknown>>): Identity {
  return { id: checkIdentityId(typeof id === "string" ? id : "", "representations.id") };
}

@Resolver(() => Identity)
export class IdentityResolver {
  constructor(private readonly identities: IdentityService) {}

  @Authorized()
  @Query(() => Viewer, { description: "Who the gateway takes you for." })
  viewer(@Ctx() { caller }: RequestContext): Viewer {
    if (!caller) throw new GatewayError("UNAUTHENTICATED", "Nobody is signed in.");
    return { name: caller.name, kind: caller.kind as CallerKind };
  }

  @Authorized()
  @Query(() => Identity, {
    nullable: true,
    description:
      "An identity by its id. ACS cannot be asked whether an identity exists: what is known of it here is what the gateway has cached. Errors: BAD_USER_INPUT.",
  })
  identity(@Arg("id", () => ID) id: string): Identity {
    return { id: checkIdentityId(id, "id") };
  }

  @Authorized()
  @Directive("@listSize(assumedSize: 10)")
  @FieldResolver(() => [CachedToken], {
    description:
      "The tokens that the gateway could serve for this identity without asking Azure, without the tokens.",
  })
  async cachedTokens(@Root() identity: Identity, @Ctx() context: RequestContext): Promise<CachedToken[]> {
    const cached = await context.cachedTokens.load(identity.id);
    return cached.map(({ scopes, expiresOn }) => ({
      scopes: scopes as readonly TokenScope[],
      expiresOn: new Date(expiresOn),
    }));
  }

  @Authorized()
  @Directive("@cost(weight: 100)")
  @Mutation(() => CreateIdentityPayload, {
    description:
      "Makes an identity, and with `scopes` a token for it in the same call to Azure. Not idempotent: each call makes another identity. Errors: BAD_USER_INPUT, RATE_LIMITED, UPSTREAM_UNAVAILABLE (an identity may have been made), UPSTREAM_REJECTED.",
  })
  async createIdentity(
    @Ctx() context: RequestContext,
    @Arg("input", { nullable: true }) input?: CreateIdentityInput,
  ): Promise<CreateIdentityPayload> {
    const { identityId, token } = await this.identities.create(
      { scopes: input?.scopes ?? undefined, lifetimeMinutes: input?.expiresInMinutes ?? undefined },
      context.request,
    );
    return { identity: { id: identityId }, accessToken: token && toAccessToken(token) };
  }

  @Authorized()
  @Directive("@cost(weight: 100)")
  @Mutation(() => DeleteIdentityPayload, {
    description:
      "Deletes an identity with its tokens and chat data. One that is gone already counts as deleted. Errors: BAD_USER_INPUT, IDENTITY_NOT_FOUND (another resource's), RATE_LIMITED, UPSTREAM_UNAVAILABLE, UPSTREAM_REJECTED, CACHE_UNAVAILABLE (send it again).",
  })
  async deleteIdentity(@Arg("input") { identityId }: DeleteIdentityInput): Promise<DeleteIdentityPayload> {
    await this.identities.delete(identityId);
    return { deletedId: identityId };
  }
}
