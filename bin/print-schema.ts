/** `schema`: prints the GraphQL schema, from classes alone. */
import { gatewayTypeDefs } from "../src/gateway";
import { withoutAccessDirectives } from "../src/schema/access-directives";

/** Options of `schema`. */
export interface PrintSchemaOptions {
  readonly accessDirectives: boolean;
}

/** Writes the SDL to stdout. */
export async function printSchema({ accessDirectives }: PrintSchemaOptions): Promise<void> {
  const typeDefs = await gatewayTypeDefs();
  process.stdout.write(accessDirectives ? typeDefs : withoutAccessDirectives(typeDefs));
}
