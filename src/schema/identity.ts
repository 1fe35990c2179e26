/** The entity Identity: an ACS communication user. */
import { Directive, Field, ID, ObjectType } from "type-graphql";

/** An ACS communication user. What is cached for it is resolved in its resolver. */
@Directive('@key(fields: "id")')
@ObjectType({ simpleResolvers: true, description: "An ACS communication user: somebody who chats or calls." })
export class Identity {
  @Field(() => ID, { description: "ACS's id for it: `8:acs:<resource id>_<user id>`." })
  id!: string;
}
