/** The resolvers of root fields without type-graphql's layers around them: the access rule, then the method. */
import { getMetadataStorage, type AuthCheckerFn } from "type-graphql";

/** Runs a root field with arguments that graphql-js would give it. Throws or rejects as the field's resolver does. */
export type DirectResolver = (args: Readonly<Record<string, unknown>>, context: object) => unknown;

/** By the names of their types and fields: `Mutation.issueToken`. */
export type DirectResolvers = ReadonlyMap<string, DirectResolver>;

type Method = (...args: unknown[]) => unknown;

/**
 * type-graphql's own wrapper makes a dozen promises for each call. What it can do beyond arguments, the context and
 * the access rule, no field here asks for; a field that does is left out, and keeps the wrapper.
 */
export function directResolvers<TContext extends object, TAccess extends object>(
  instances: ReadonlyMap<unknown, object>,
  accessRule: AuthCheckerFn<TContext, TAccess>,
): DirectResolvers {
  const { queries, mutations } = getMetadataStorage();
  const found = new Map<string, DirectResolver>();
  for (const [type, resolvers] of [
    ["Query", queries],
    ["Mutation", mutations],
  ] as const) {
    for (const { schemaName, target, methodName, params = [], roles, middlewares = [] } of resolvers) {
      const instance = instances.get(target) as Readonly<Record<string, Method>> | undefined;
      const method = instance?.[methodName];
      const values = params.toSorted((a, b) => a.index - b.index).map(valueOf);
      if (!method || middlewares.length > 0 || !values.every((value) => value !== undefined)) continue;
      const rules = roles as TAccess[] | undefined;
      found.set(`${type}.${schemaName}`, (args, context) => {
        const data = { root: undefined, args, context: context as TContext, info: undefined as never };
        if (rules && accessRule(data, rules) !== true) {
          throw new Error("An access rule says yes, or throws why not.");
        }
        return method.apply(
          instance,
          values.map((value) => value(args, context)),
        );
      });
    }
  }
  return found;
}

type Param = NonNullable<ReturnType<typeof getMetadataStorage>["queries"][number]["params"]>[number];

/** How a parameter gets its value; undefined: not here. */
function valueOf(
  param: Param,
): ((args: Readonly<Record<string, unknown>>, context: object) => unknown) | undefined {
  if (param.kind === "arg") {
    const { name } = param;
    return (args) => args[name];
  }
  if (param.kind === "context" && param.propertyName === undefined) return (_, context) => context;
  return undefined;
}
