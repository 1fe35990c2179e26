/** issueToken, revokeTokens, exchangeTeamsToken. */
import { Arg, Ctx, Directive, Mutation, Resolver } from "type-graphql";
import { GatewayError } from "../errors";
import {
  ExchangeTeamsTokenInput,
  ExchangeTeamsTokenPayload,
  IssueTokenInput,
  IssueTokenPayload,
  RevokeTokensInput,
  RevokeTokensPayload,
} from "../schema/token-operations";
import { lifetimeMinutes } from "../services/tokens/token-key";
import { TokenService } from "../services/tokens/token-service";
import { Allow } from "./access";
import { callerOf, checkRight, checkScopes } from "./access-rules";
import { OwnIdentity } from "./own-identity";
import type { About, RequestContext } from "./context";
import { toAccessToken } from "./to-access-token";

@Resolver()
export class TokenResolver {
  constructor(
    private readonly tokens: TokenService,
    private readonly own: OwnIdentity,
  ) {}

  @Allow({ own: true, any: "token:issue:any", action: "token.issue" })
  @Directive("@cost(weight: 100)")
  @Mutation(() => IssueTokenPayload, {
    description:
      "Answers with an access token: the cached one if it has enough life left, else a new one. Call it again to refresh. Errors: BAD_USER_INPUT, FORBIDDEN (not your identity, or a scope that you may not have), IDENTITY_NOT_FOUND, RATE_LIMITED, UPSTREAM_UNAVAILABLE, UPSTREAM_REJECTED, TOKEN_REVOKED_DURING_ISSUE, DIRECTORY_UNAVAILABLE, AUDIT_UNAVAILABLE.",
  })
  issueToken(
    @Arg("input") input: IssueTokenInput,
    @Ctx() context: RequestContext,
  ): Promise<IssueTokenPayload> {
    const { scopes } = input;
    const lifetime = input.expiresInMinutes ?? lifetimeMinutes.default;
    const about: About = { identityId: input.identityId ?? undefined, scopes, lifetimeMinutes: lifetime };
    return context.audited("token.issue", about, async () => {
      const caller = callerOf(context);
      checkScopes(caller, scopes);
      const how = { any: "token:issue:any", make: true, input: "input" } as const;
      const found = this.own.find(context, input, how);
      const acting = found instanceof Promise ? await found : found;
      const { identityId, result } = await this.own.acting(acting, caller, context.call, (id) => {
        about.identityId = id;
        return this.tokens.issue(
          { identityId: id, scopes, lifetimeMinutes: lifetime, forceRefresh: input.forceRefresh ?? false },
          context.call,
        );
      });
      about.source = result.source;
      return { identity: { id: identityId }, accessToken: toAccessToken(result) };
    });
  }

  @Allow({ own: true, any: "token:revoke:any", action: "token.revoke" })
  @Directive("@cost(weight: 100)")
  @Mutation(() => RevokeTokensPayload, {
    description:
      "Revokes every token of an identity. Once it has answered, no gateway serves a token from before. Errors: BAD_USER_INPUT, FORBIDDEN, IDENTITY_NOT_FOUND, RATE_LIMITED, UPSTREAM_UNAVAILABLE, UPSTREAM_REJECTED, CACHE_UNAVAILABLE (send it again), DIRECTORY_UNAVAILABLE, AUDIT_UNAVAILABLE.",
  })
  async revokeTokens(
    @Arg("input") input: RevokeTokensInput,
    @Ctx() context: RequestContext,
  ): Promise<RevokeTokensPayload> {
    const about: About = { identityId: input.identityId ?? undefined };
    return context.audited("token.revoke", about, async () => {
      const how = { any: "token:revoke:any", make: false, input: "input" } as const;
      const { identityId: id } = await this.own.find(context, input, how);
      about.identityId = id;
      const { effectiveBy } = await this.tokens.revoke(id, context.call);
      return { identity: { id }, effectiveBy: new Date(effectiveBy) };
    });
  }

  @Allow({ own: true, any: "token:exchange:any", action: "token.exchange" })
  @Directive("@cost(weight: 100)")
  @Mutation(() => ExchangeTeamsTokenPayload, {
    description:
      "Exchanges a Teams user's Entra token for an ACS token that acts as that user. Users exchange their own: the `oid` of their access token must be the userObjectId. Errors: BAD_USER_INPUT, FORBIDDEN, RATE_LIMITED, UPSTREAM_UNAVAILABLE, UPSTREAM_REJECTED, AUDIT_UNAVAILABLE.",
  })
  async exchangeTeamsToken(
    @Arg("input") input: ExchangeTeamsTokenInput,
    @Ctx() context: RequestContext,
  ): Promise<ExchangeTeamsTokenPayload> {
    const { userObjectId } = input;
    return context.audited("token.exchange", { userObjectId }, async () => {
      const caller = callerOf(context);
      const own =
        caller.user?.objectId?.toLowerCase() === userObjectId.toLowerCase() && caller.kind === "user";
      if (!own) {
        if (caller.user && !caller.rights.has("token:exchange:any")) {
          throw new GatewayError(
            "FORBIDDEN",
            "You may exchange your own Teams token only: userObjectId is not yours.",
          );
        }
        checkRight(caller, "token:exchange:any");
      }
      const scopes = ["chat", "voip"] as const;
      checkScopes(caller, scopes);
      return {
        accessToken: toAccessToken(await this.tokens.exchangeTeamsToken({ ...input }, context.call)),
      };
    });
  }
}
