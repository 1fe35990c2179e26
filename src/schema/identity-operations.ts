/** Inputs and payloads of the identity mutations. */
import { Directive, Field, ID, InputType, Int, ObjectType } from "type-graphql";
import { AccessToken } from "./access-token";
import { Identity } from "./identity";
import { forServices } from "./tags";
import { TokenScope } from "./token-scope";

/** What a new identity is to come with. */
@Directive(forServices)
@InputType({ description: "What a new identity is to come with." })
export class CreateIdentityInput {
  @Field(() => [TokenScope], {
    nullable: true,
    description: "When given, a token for these scopes is issued in the same call to Azure: at least one.",
  })
  scopes?: TokenScope[] | null;

  @Field(() => Int, {
    nullable: true,
    description:
      "The token's lifetime in minutes: 60 to 1440, 1440 when left out. Only together with scopes.",
  })
  expiresInMinutes?: number | null;

  @Field(() => Int, {
    nullable: true,
    description:
      "Delete the identity by itself so many minutes from now: 60 to 525600. For guests who need it for one meeting. It stays when left out. The gateway must have a directory (DATABASE_URL or DIRECTORY_PATH).",
  })
  deleteAfterMinutes?: number | null;
}

/** What `createIdentity` answers. */
@Directive(forServices)
@ObjectType({ simpleResolvers: true, description: "The new identity, and its token if one was asked for." })
export class CreateIdentityPayload {
  @Field(() => Identity, { description: "The new identity. Keep its id: ACS has no list of identities." })
  identity!: Identity;

  @Field(() => AccessToken, { nullable: true, description: "The token, if scopes were given." })
  accessToken?: AccessToken | undefined;
}

/** Which identity to delete. */
@InputType({ description: "Which identity to delete." })
export class DeleteIdentityInput {
  @Field(() => ID, {
    nullable: true,
    description:
      "The identity to delete, with all its tokens and chat data. A user leaves it out for his own; a service must give it.",
  })
  identityId?: string | null;

  @Field(() => String, {
    nullable: true,
    description: "Your identity for this device, instead of your own.",
  })
  device?: string | null;
}

/** What `deleteIdentity` answers. */
@ObjectType({ simpleResolvers: true, description: "The id that is no more." })
export class DeleteIdentityPayload {
  @Field(() => ID, { description: "The id of the deleted identity." })
  deletedId!: string;
}
