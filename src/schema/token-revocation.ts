/** What subscribers are told when an identity's tokens have ended. */
import { GraphQLDateTime } from "graphql-scalars";
import { Field, ObjectType, registerEnumType } from "type-graphql";
import { Identity } from "./identity";

/** Why tokens ended; the values are the services' own words. */
export enum RevocationCause {
  REVOKED = "revocation",
  IDENTITY_DELETED = "deletion",
}
registerEnumType(RevocationCause, {
  name: "RevocationCause",
  description: "Why an identity's tokens ended.",
  valuesConfig: {
    REVOKED: { description: "They were revoked. Ask for a new one." },
    IDENTITY_DELETED: {
      description:
        "The identity was deleted. A user who asks for a token gets a new identity; the stream ends here.",
    },
  },
});

/** An event of `tokenRevoked`. */
@ObjectType({
  simpleResolvers: true,
  description: "All tokens of an identity that were issued until now have ended.",
})
export class TokenRevocation {
  @Field(() => Identity, { description: "Whose tokens they were." })
  identity!: Identity;

  @Field(() => RevocationCause, { description: "Why they ended." })
  cause!: RevocationCause;

  @Field(() => GraphQLDateTime, { description: "When they were revoked." })
  revokedAt!: Date;
}
