/** Who the gateway takes the caller for. */
import { Field, ObjectType, registerEnumType } from "type-graphql";
import { Identity } from "./identity";
import { TokenScope } from "./token-scope";

/** How a caller presented itself. */
export enum CallerKind {
  SERVICE = "service",
  USER = "user",
  GUEST = "guest",
}

registerEnumType(CallerKind, {
  name: "CallerKind",
  description: "What kind of caller the gateway takes somebody for.",
  valuesConfig: {
    SERVICE: { description: "A program with an API key." },
    USER: { description: "A user of the app, with an access token of an issuer that the gateway trusts." },
    GUEST: {
      description:
        "A user whom his issuer calls a guest: he may join, and his identity may be deleted later.",
    },
  },
});

/** One of the caller's identities, and what it is for. */
@ObjectType({ simpleResolvers: true, description: "One of your identities, and the device that it is for." })
export class DeviceIdentity {
  @Field(() => String, { nullable: true, description: "The device label; null for your own identity." })
  device!: string | null;

  @Field(() => Identity, { description: "The identity." })
  identity!: Identity;
}

/** The caller, as the gateway sees it. What is bound to it is resolved in its resolver. */
@ObjectType({ simpleResolvers: true, description: "Who the gateway takes you for." })
export class Viewer {
  @Field({ description: "The name of your API key, or your subject at your issuer." })
  name!: string;

  @Field(() => CallerKind, { description: "How you presented yourself." })
  kind!: CallerKind;

  @Field(() => [TokenScope], { description: "Which scopes your tokens may have." })
  scopes!: readonly TokenScope[];

  @Field(() => [String], {
    description: "What you may do with identities that are not yours, such as `token:issue:any`.",
  })
  rights!: readonly string[];
}
