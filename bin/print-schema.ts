/** `schema`: prints the GraphQL schema, from classes alone. */
import { gatewayTypeDefs } from "../src/gateway";
import { withoutAccessDirectives } from "../src/schema/access-directives";

/** Writes the SDL to stdout. */
export async function printSchema({
  accessDirectives,
}: {
  readonly accessDirectives: boolean;
}): Promise<void> {
  const typeDefs = await gatewayTypeDefs();
  process.stdout.write(accessDirectives ? typeDefs : withoutAccessDirectives(typeDefs));
}
