/** identity, createIdentity, deleteIdentity, and what is cached for an identity. */
import { Arg, Ctx, Directive, FieldResolver, ID, Mutation, Query, Resolver, Root } from "type-graphql";
import { CachedToken } from "../schema/access-token";
import { Identity } from "../schema/identity";
import { forServices } from "../schema/tags";
import {
  CreateIdentityInput,
  CreateIdentityPayload,
  DeleteIdentityInput,
  DeleteIdentityPayload,
} from "../schema/identity-operations";
import type { TokenScope } from "../schema/token-scope";
import { IdentityLifecycle } from "../services/identities/identity-lifecycle";
import { checkIdentityId } from "../services/identities/identity-id";
import { Allow } from "./access";
import { callerOf, checkRight, checkScopes } from "./access-rules";
import { OwnIdentity } from "./own-identity";
import type { About, RequestContext } from "./context";
import { toAccessToken } from "./to-access-token";

/** The identity that a federation router refers to: its id is checked like any other argument. */
export function identityByReference({ id }: Readonly<Record<string, unknown>>): Identity {
  return { id: checkIdentityId(typeof id === "string" ? id : "", "representations.id") };
}

@Resolver(() => Identity)
export class IdentityResolver {
  constructor(
    private readonly identities: IdentityLifecycle,
    private readonly own: OwnIdentity,
  ) {}

  @Allow({ own: true, any: "identity:read:any" })
  @Query(() => Identity, {
    nullable: true,
    description:
      "An identity by its id. ACS cannot be asked whether an identity exists: what is known of it here is what the gateway has cached. Errors: BAD_USER_INPUT, FORBIDDEN, DIRECTORY_UNAVAILABLE.",
  })
  async identity(@Arg("id", () => ID) id: string, @Ctx() context: RequestContext): Promise<Identity> {
    checkIdentityId(id, "id");
    await this.own.checkOwner(context, id, "identity:read:any");
    return { id };
  }

  @Allow({ own: true, any: "identity:read:any" })
  @Directive("@listSize(assumedSize: 10)")
  @FieldResolver(() => [CachedToken], {
    description:
      "The tokens that the gateway could serve for this identity without asking Azure, without the tokens. Errors: FORBIDDEN.",
  })
  async cachedTokens(@Root() identity: Identity, @Ctx() context: RequestContext): Promise<CachedToken[]> {
    // A router may refer to any identity.
    await this.own.checkOwner(context, identity.id, "identity:read:any");
    const cached = await context.lookups.cachedTokens.load(identity.id);
    return cached.map(({ scopes, expiresOn }) => ({
      scopes: scopes as readonly TokenScope[],
      expiresOn: new Date(expiresOn),
    }));
  }

  @Allow({ any: "identity:create", action: "identity.create" })
  @Directive(forServices)
  @Directive("@cost(weight: 100)")
  @Mutation(() => CreateIdentityPayload, {
    description:
      "Makes an identity that is bound to nobody, and with `scopes` a token for it in the same call to Azure, which needs the right token:issue:any as well. Not idempotent: each call makes another identity. Errors: BAD_USER_INPUT, FORBIDDEN, RATE_LIMITED, UPSTREAM_UNAVAILABLE (an identity may have been made), UPSTREAM_REJECTED, DIRECTORY_UNAVAILABLE, AUDIT_UNAVAILABLE.",
  })
  async createIdentity(
    @Ctx() context: RequestContext,
    @Arg("input", { nullable: true }) input?: CreateIdentityInput,
  ): Promise<CreateIdentityPayload> {
    const scopes = input?.scopes ?? undefined;
    const lifetimeMinutes = input?.expiresInMinutes ?? undefined;
    const about: About = { scopes, lifetimeMinutes };
    return context.audited("identity.create", about, async () => {
      if (scopes) {
        const caller = callerOf(context);
        checkRight(caller, "token:issue:any");
        checkScopes(caller, scopes);
      }
      const wanted = { scopes, lifetimeMinutes, deleteAfterMinutes: input?.deleteAfterMinutes ?? undefined };
      const { identityId, token } = await this.identities.create(wanted, context.call);
      about.identityId = identityId;
      return { identity: { id: identityId }, accessToken: token && toAccessToken(token) };
    });
  }

  @Allow({ own: true, any: "identity:delete:any", action: "identity.delete" })
  @Directive("@cost(weight: 100)")
  @Mutation(() => DeleteIdentityPayload, {
    description:
      "Deletes an identity with its tokens and chat data. One that is gone already counts as deleted. A user whose identity is deleted gets a new one on next use. Errors: BAD_USER_INPUT, FORBIDDEN, IDENTITY_NOT_FOUND (another resource's, or you have none), RATE_LIMITED, UPSTREAM_UNAVAILABLE, UPSTREAM_REJECTED, CACHE_UNAVAILABLE (send it again), DIRECTORY_UNAVAILABLE, AUDIT_UNAVAILABLE.",
  })
  async deleteIdentity(
    @Arg("input") input: DeleteIdentityInput,
    @Ctx() context: RequestContext,
  ): Promise<DeleteIdentityPayload> {
    const about: About = { identityId: input.identityId ?? undefined };
    return context.audited("identity.delete", about, async () => {
      const how = { any: "identity:delete:any", make: false, input: "input" } as const;
      const { identityId } = await this.own.find(context, input, how);
      about.identityId = identityId;
      await this.identities.delete(identityId, context.call);
      return { deletedId: identityId };
    });
  }
}
