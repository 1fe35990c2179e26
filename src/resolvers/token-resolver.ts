/** issueToken, revokeTokens, exchangeTeamsToken. */
import { Arg, Authorized, Ctx, Directive, Mutation, Resolver } from "type-graphql";
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
import { actingOn } from "./access-rules";
import type { RequestContext } from "./request-context";
import { toAccessToken } from "./to-access-token";

@Resolver()
export class TokenResolver {
  constructor(private readonly tokens: TokenService) {}

  @Authorized()
  @Directive("@cost(weight: 100)")
  @Mutation(() => IssueTokenPayload, {
    description:
      "Answers with an access token: the cached one if it has enough life left, else a new one. Call it again to refresh. Errors: BAD_USER_INPUT, IDENTITY_NOT_FOUND, RATE_LIMITED, UPSTREAM_UNAVAILABLE, UPSTREAM_REJECTED, TOKEN_REVOKED_DURING_ISSUE.",
  })
  async issueToken(
    @Arg("input") input: IssueTokenInput,
    @Ctx() context: RequestContext,
  ): Promise<IssueTokenPayload> {
    const identityId = actingOn(input.identityId);
    const served = await this.tokens.issue(
      {
        identityId,
        scopes: input.scopes,
        lifetimeMinutes: input.expiresInMinutes ?? lifetimeMinutes.default,
        forceRefresh: input.forceRefresh ?? false,
      },
      context.request,
    );
    return { identity: { id: identityId }, accessToken: toAccessToken(served) };
  }

  @Authorized()
  @Directive("@cost(weight: 100)")
  @Mutation(() => RevokeTokensPayload, {
    description:
      "Revokes every token of an identity. Once it has answered, no gateway serves a token from before. Errors: BAD_USER_INPUT, IDENTITY_NOT_FOUND, RATE_LIMITED, UPSTREAM_UNAVAILABLE, UPSTREAM_REJECTED, CACHE_UNAVAILABLE (send it again).",
  })
  async revokeTokens(@Arg("input") input: RevokeTokensInput): Promise<RevokeTokensPayload> {
    const id = actingOn(input.identityId);
    const { effectiveBy } = await this.tokens.revoke(id);
    return { identity: { id }, effectiveBy: new Date(effectiveBy) };
  }

  @Authorized()
  @Directive("@cost(weight: 100)")
  @Mutation(() => ExchangeTeamsTokenPayload, {
    description:
      "Exchanges a Teams user's Entra token for an ACS token that acts as that user. Errors: BAD_USER_INPUT, RATE_LIMITED, UPSTREAM_UNAVAILABLE, UPSTREAM_REJECTED.",
  })
  async exchangeTeamsToken(
    @Arg("input") input: ExchangeTeamsTokenInput,
    @Ctx() context: RequestContext,
  ): Promise<ExchangeTeamsTokenPayload> {
    return {
      accessToken: toAccessToken(await this.tokens.exchangeTeamsToken({ ...input }, context.request)),
    };
  }
}
