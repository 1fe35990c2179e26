/** Who the gateway takes the caller for. */
import { Field, ObjectType, registerEnumType } from "type-graphql";
import { Identity } from "./identity";

/** How a caller presented itself. */
export enum CallerKind {
  SERVICE = "service",
}

registerEnumType(CallerKind, {
  name: "CallerKind",
  description: "What kind of caller the gateway takes somebody for.",
  valuesConfig: { SERVICE: { description: "A program with an API key." } },
});

/** The caller, as the gateway sees it. */
@ObjectType({ description: "Who the gateway takes you for." })
export class Viewer {
  @Field({ description: "The name of your API key." })
  name!: string;

  @Field(() => CallerKind, { description: "How you presented yourself." })
  kind!: CallerKind;

  @Field(() => Identity, {
    nullable: true,
    description: "The identity bound to you. Services have none: they name the identity that they act for.",
  })
  identity?: Identity | undefined;
}
