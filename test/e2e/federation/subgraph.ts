/** A subgraph as it describes itself to those who compose. */
import { GraphqlClient } from "../../support/graphql-client";

export interface Subgraph {
  readonly name: string;
  readonly url: string;
  readonly sdl: string;
}

/** Asks it for its type definitions, as federation serves them. */
export async function describeSubgraph(name: string, url: string): Promise<Subgraph> {
  const { _service } = await new GraphqlClient(url).data<{ _service: { sdl: string } }, object>(
    "{ _service { sdl } }",
  );
  return { name, url, sdl: _service.sdl };
}
