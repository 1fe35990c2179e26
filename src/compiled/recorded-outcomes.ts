/** Lets Apollo Server answer an operation that has been run already: its root fields come to what they came to then. */
import type { GraphQLSchema } from "graphql";

const recorded = Symbol("recorded outcomes");

interface Recording {
  [recorded]?: ReadonlyMap<string, Promise<unknown>>;
}

/** Remembers in a request's context what its root fields, by their keys in the answer, came to or will. */
export function recordOutcomes(context: object, outcomes: ReadonlyMap<string, Promise<unknown>>): void {
  // Apollo Server makes a copy of the context, which has this too.
  (context as Recording)[recorded] = outcomes;
}

/** Has the root fields of the schema ask for a recorded outcome before they are run. */
export function replayOutcomes(schema: GraphQLSchema): void {
  for (const type of [schema.getQueryType(), schema.getMutationType()]) {
    for (const field of Object.values(type?.getFields() ?? {})) {
      const { resolve } = field;
      if (!resolve) continue;
      field.resolve = (source, args, context: Recording, info) =>
        context[recorded]?.get(String(info.path.key)) ?? resolve(source, args, context, info);
    }
  }
}
