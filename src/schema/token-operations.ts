/** Inputs and payloads of the token mutations, with their ranges. */
import { GraphQLDateTime } from "graphql-scalars";
import { Field, ID, InputType, Int, ObjectType } from "type-graphql";
import { AccessToken } from "./access-token";
import { Identity } from "./identity";
import { TokenScope } from "./token-scope";

/** Which token to issue. */
@InputType({ description: "Which token to issue, and for whom." })
export class IssueTokenInput {
  @Field(() => ID, {
    nullable: true,
    description:
      "The identity that the token is for. A user leaves it out for his own, which is made on first use; a service must give it.",
  })
  identityId?: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      "Your identity for this device, such as `phone`, instead of your own: 1 to 64 letters, digits, dots, dashes, underscores and spaces.",
  })
  device?: string | null;

  @Field(() => [TokenScope], {
    description: "What the token is to allow: at least one. Order and repetition do not matter.",
  })
  scopes!: TokenScope[];

  @Field(() => Int, {
    nullable: true,
    defaultValue: 1440,
    description: "Its lifetime in minutes: 60 to 1440.",
  })
  expiresInMinutes?: number | null;

  @Field(() => Boolean, {
    nullable: true,
    defaultValue: false,
    description:
      "Issue a new token even though a good one is cached, for example because ACS answered 401 to that one.",
  })
  forceRefresh?: boolean | null;
}

/** What `issueToken` answers. */
@ObjectType({ simpleResolvers: true, description: "The token, and the identity that it is for." })
export class IssueTokenPayload {
  @Field(() => Identity, { description: "The identity that the token is for." })
  identity!: Identity;

  @Field(() => AccessToken, { description: "The token." })
  accessToken!: AccessToken;
}

/** Whose tokens to revoke. */
@InputType({ description: "Whose tokens to revoke." })
export class RevokeTokensInput {
  @Field(() => ID, {
    nullable: true,
    description: "The identity whose tokens end. A user leaves it out for his own; a service must give it.",
  })
  identityId?: string | null;

  @Field(() => String, {
    nullable: true,
    description: "Your identity for this device, such as `phone`, instead of your own.",
  })
  device?: string | null;
}

/** What `revokeTokens` answers. */
@ObjectType({
  simpleResolvers: true,
  description: "Whose tokens were revoked, and by when ACS refuses them everywhere.",
})
export class RevokeTokensPayload {
  @Field(() => Identity, { description: "The identity whose tokens were revoked." })
  identity!: Identity;

  @Field(() => GraphQLDateTime, {
    description:
      "Until then ACS itself may still honour the old tokens: up to 15 minutes. The gateway serves none of them from now on.",
  })
  effectiveBy!: Date;
}

/** A Teams user's Entra token. */
@InputType({ description: "A Teams user's Entra token, and whom it was made for." })
export class ExchangeTeamsTokenInput {
  @Field({ description: "The Entra access token of the Teams user." })
  teamsUserAadToken!: string;

  @Field(() => ID, { description: "The application (client) id that the token was made for, a GUID." })
  clientId!: string;

  @Field(() => ID, { description: "The user's object id in Entra, a GUID." })
  userObjectId!: string;
}

/** What `exchangeTeamsToken` answers. */
@ObjectType({
  simpleResolvers: true,
  description:
    "A token that acts as the Teams user. It lives as long as the Entra token and is never cached.",
})
export class ExchangeTeamsTokenPayload {
  @Field(() => AccessToken, { description: "The token." })
  accessToken!: AccessToken;
}
