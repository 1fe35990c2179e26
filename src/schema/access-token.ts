/** An access token, and where it came from. */
import { GraphQLDateTime } from "graphql-scalars";
import { Field, ObjectType, registerEnumType } from "type-graphql";
import { TokenScope } from "./token-scope";

/** Where a token came from. */
export enum TokenSource {
  ISSUED = "issued",
  CACHE = "cache",
}

registerEnumType(TokenSource, {
  name: "TokenSource",
  description: "Where an access token came from.",
  valuesConfig: {
    ISSUED: { description: "Azure issued it for this request, or for one that was made at the same time." },
    CACHE: { description: "It was issued for an earlier request and is still good." },
  },
});

/** A token for ACS Chat or Calling. */
@ObjectType({
  simpleResolvers: true,
  description: "A token that a client passes to the ACS Chat and Calling SDKs. Keep it secret.",
})
export class AccessToken {
  @Field({ description: "The token itself. Treat it as opaque." })
  token!: string;

  @Field(() => GraphQLDateTime, {
    description: "When it expires: the earlier of what Azure answered and what the token says itself.",
  })
  expiresOn!: Date;

  @Field(() => [TokenScope], { description: "What it allows: the scopes asked for, sorted, each once." })
  scopes!: readonly TokenScope[];

  @Field(() => TokenSource, { description: "Whether Azure issued it just now or the gateway had it." })
  source!: TokenSource;
}

/** What is known of a cached token without showing it. */
@ObjectType({
  simpleResolvers: true,
  description: "A token that the gateway holds for an identity. The token itself is not shown.",
})
export class CachedToken {
  @Field(() => [TokenScope], { description: "What it allows." })
  scopes!: readonly TokenScope[];

  @Field(() => GraphQLDateTime, { description: "When it expires." })
  expiresOn!: Date;
}
