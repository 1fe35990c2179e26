/** `schema`: prints the GraphQL schema, from classes alone. */
import { gatewayTypeDefs } from "../src/gateway";

/** Writes the SDL to stdout. */
export async function printSchema(): Promise<void> {
  process.stdout.write(await gatewayTypeDefs());
}
