/** Compiles how variables and arguments become the values that resolvers get (GraphQL specification, 6.1.2 and 6.4.1). */
import {
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  Kind,
  typeFromAST,
  valueFromAST,
  visit,
  BREAK,
  type FieldNode,
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLLeafType,
  type GraphQLSchema,
  type ValueNode,
  type VariableDefinitionNode,
} from "graphql";
import { NotCompilable } from "./not-compilable";

/** Values by their names. */
export type Values = Readonly<Record<string, unknown>>;

/** Stands for what graphql-js would refuse, which it then does in its own words. */
export const unfit = Symbol("unfit");

/** Makes a value of one that JSON had; {@link unfit} if it cannot. */
type Coerce = (value: unknown) => unknown;

/** Makes a value, given the operation's variables; {@link unfit} if it cannot. */
type Evaluate = (variables: Values) => unknown;

/** Values of a request's variables; {@link unfit} if they are not of the operation's types. */
export type CoerceVariables = (sent: Values) => Values | typeof unfit;

/** Values of a field's arguments, given the operation's variables; {@link unfit} if they do not fit the field. */
export type EvaluateArguments = (variables: Values) => Values | typeof unfit;

/** Throws {@link NotCompilable}. The definitions must be of a valid document. */
export function compileVariables(
  schema: GraphQLSchema,
  definitions: readonly VariableDefinitionNode[],
): CoerceVariables {
  const variables = definitions.map((definition) => {
    const type = typeFromAST(schema, definition.type) as GraphQLInputType | undefined;
    if (!type) throw new NotCompilable();
    const { defaultValue } = definition;
    return {
      name: definition.variable.name.value,
      coerce: coercion(type),
      isRequired: isNonNullType(type) && !defaultValue,
      fallback: defaultValue && constant(defaultValue, type),
    };
  });
  return (sent) => {
    const values: Record<string, unknown> = {};
    for (const { name, coerce, isRequired, fallback } of variables) {
      if (Object.hasOwn(sent, name)) {
        const value = coerce(sent[name]);
        if (value === unfit) return unfit;
        values[name] = value;
      } else if (fallback !== undefined) values[name] = fallback;
      else if (isRequired) return unfit;
    }
    return values;
  };
}

/** Throws {@link NotCompilable}. */
export function compileArguments(
  definitions: readonly GraphQLArgument[],
  node: FieldNode,
): EvaluateArguments {
  const given = new Map(node.arguments?.map(({ name, value }) => [name.value, value]));
  return compileMembers(definitions, given, () => ({}));
}

/** Arguments of a field, or fields of an input object: both are named values with defaults. */
function compileMembers(
  definitions: readonly (GraphQLArgument | GraphQLInputField)[],
  given: ReadonlyMap<string, ValueNode>,
  empty: () => Record<string, unknown>,
): (variables: Values) => Values | typeof unfit {
  const members = definitions.map(({ name, type, defaultValue }) => {
    const node = given.get(name);
    return {
      name,
      fallback: defaultValue,
      isRequired: isNonNullType(type),
      // A variable that was not sent counts as left out.
      variable: node?.kind === Kind.VARIABLE ? node.name.value : undefined,
      evaluate: node && evaluation(node, type),
    };
  });
  return (variables) => {
    const values = empty();
    for (const { name, fallback, isRequired, variable, evaluate } of members) {
      if (!evaluate || (variable !== undefined && !Object.hasOwn(variables, variable))) {
        if (fallback !== undefined) values[name] = fallback;
        else if (isRequired) return unfit;
        continue;
      }
      const value = evaluate(variables);
      if (value === unfit) return unfit;
      values[name] = value;
    }
    return values;
  };
}

function coercion(type: GraphQLInputType): Coerce {
  if (isNonNullType(type)) {
    const coerce = coercion(type.ofType);
    return (value) => (value === null || value === undefined ? unfit : coerce(value));
  }
  const coerce = isListType(type)
    ? listCoercion(type.ofType)
    : isInputObjectType(type)
      ? objectCoercion(type)
      : leafCoercion(type);
  return (value) => (value === null || value === undefined ? null : coerce(value));
}

function listCoercion(itemType: GraphQLInputType): Coerce {
  const coerce = coercion(itemType);
  return (value) => {
    // One item stands for a list of it.
    const items: readonly unknown[] = Array.isArray(value) ? value : [value];
    const values: unknown[] = [];
    for (const item of items) {
      const each = coerce(item);
      if (each === unfit) return unfit;
      values.push(each);
    }
    return values;
  };
}

function objectCoercion(type: GraphQLInputObjectType): Coerce {
  const definitions = fieldsOf(type);
  const known = new Set(definitions.map(({ name }) => name));
  const fields = definitions.map((field) => ({
    name: field.name,
    fallback: field.defaultValue,
    isRequired: isNonNullType(field.type),
    coerce: coercion(field.type),
  }));
  return (value) => {
    if (typeof value !== "object" || value === null) return unfit;
    const sent = value as Values;
    for (const name of Object.keys(sent)) if (!known.has(name)) return unfit;
    const values: Record<string, unknown> = {};
    for (const { name, fallback, isRequired, coerce } of fields) {
      const each = sent[name];
      if (each === undefined) {
        if (fallback !== undefined) values[name] = fallback;
        else if (isRequired) return unfit;
        continue;
      }
      const coerced = coerce(each);
      if (coerced === unfit) return unfit;
      values[name] = coerced;
    }
    return values;
  };
}

function leafCoercion(type: GraphQLLeafType): Coerce {
  return (value) => {
    try {
      const parsed: unknown = type.parseValue(value);
      return parsed ?? unfit;
    } catch {
      return unfit;
    }
  };
}

function evaluation(node: ValueNode, type: GraphQLInputType): Evaluate {
  if (!hasVariables(node)) {
    const value = constant(node, type);
    return () => value;
  }
  if (node.kind === Kind.VARIABLE) {
    const name = node.name.value;
    const isRequired = isNonNullType(type);
    return (variables) => {
      const value = variables[name];
      return value === undefined || (value === null && isRequired) ? unfit : value;
    };
  }
  const nullable = isNonNullType(type) ? type.ofType : type;
  if (isListType(nullable)) return listEvaluation(node, nullable.ofType);
  if (isInputObjectType(nullable) && node.kind === Kind.OBJECT) {
    const given = new Map(node.fields.map(({ name, value }) => [name.value, value]));
    return compileMembers(fieldsOf(nullable), given, () => Object.create(null) as Record<string, unknown>);
  }
  // A scalar whose literals may hold variables.
  throw new NotCompilable();
}

function listEvaluation(node: ValueNode, itemType: GraphQLInputType): Evaluate {
  const items = (node.kind === Kind.LIST ? node.values : [node]).map((item) => ({
    variable: item.kind === Kind.VARIABLE ? item.name.value : undefined,
    evaluate: evaluation(item, itemType),
  }));
  const isRequired = isNonNullType(itemType);
  return (variables) => {
    const values: unknown[] = [];
    for (const { variable, evaluate } of items) {
      const isMissing = variable !== undefined && variables[variable] === undefined;
      const value = isMissing && !isRequired ? null : evaluate(variables);
      if (value === unfit) return unfit;
      values.push(value);
    }
    return values;
  };
}

/** The value of a literal without variables. It is made once and given to every request: nobody may change it. */
function constant(node: ValueNode, type: GraphQLInputType): unknown {
  const value = valueFromAST(node, type);
  if (value === undefined) throw new NotCompilable();
  return frozen(value);
}

function frozen(value: unknown): unknown {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

function fieldsOf(type: GraphQLInputObjectType): readonly GraphQLInputField[] {
  if (type.isOneOf) throw new NotCompilable();
  const fields = Object.values(type.getFields());
  // A type that holds itself has no end.
  if (fields.some(({ type: each }) => !isShallow(each))) throw new NotCompilable();
  return fields;
}

/** Whether it is a leaf, or a list of leaves: enough for every input there is, and no type can hold itself. */
function isShallow(type: GraphQLInputType): boolean {
  if (isNonNullType(type) || isListType(type)) return isShallow(type.ofType);
  return isLeafType(type);
}

function hasVariables(node: ValueNode): boolean {
  let found = false;
  visit(node, {
    Variable: () => {
      found = true;
      return BREAK;
    },
  });
  return found;
}
