/**
 * An Azure Resource Manager template, offline: its expressions are evaluated as a deployment would, and each resource is
 * held to Microsoft's own description of the API, which the package @azure/arm-appcontainers carries as mappers.
 */
import { dirname, join } from "node:path";
import { tool, toolFile } from "./tools";

/** Any JSON. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

interface Parameter {
  readonly type: "string" | "int";
  readonly defaultValue?: Json;
  readonly minValue?: number;
  readonly maxValue?: number;
}
/** As far as the tests look into it. */
export interface Template {
  readonly parameters: Readonly<Record<string, Parameter>>;
  readonly variables: Readonly<Record<string, Json>>;
  readonly resources: readonly ({ readonly type: string; readonly apiVersion: string } & Record<
    string,
    Json
  >)[];
  readonly outputs: Readonly<Record<string, { readonly value: Json }>>;
}

/** The resources that would be deployed with these parameters, with every expression replaced by its value. */
export function deployed(
  template: Template,
  given: Readonly<Record<string, Json>>,
): readonly Readonly<Record<string, Json>>[] {
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(template.parameters, name));
  if (unknown.length > 0) throw new Error(`There is no parameter ${unknown.join(", ")}.`);
  const scope = new Scope(template, given);
  scope.value(Object.fromEntries(Object.entries(template.outputs)));
  return template.resources
    .map((resource) => scope.value(resource) as Readonly<Record<string, Json>>)
    .filter((resource) => resource.condition !== false);
}

class Scope {
  constructor(
    private readonly template: Template,
    private readonly given: Readonly<Record<string, Json>>,
  ) {}

  value(json: Json): Json {
    if (typeof json === "string") {
      return json.startsWith("[") && !json.startsWith("[[") ? this.expression(json.slice(1, -1)) : json;
    }
    if (Array.isArray(json)) return json.map((each: Json) => this.value(each));
    if (json === null || typeof json !== "object") return json;
    return Object.fromEntries(
      Object.entries(json).map(([name, each]) => [this.value(name) as string, this.value(each)]),
    );
  }

  /** Function calls, texts in single quotes, whole numbers, and `.name` after a call. */
  expression(text: string): Json {
    const tokens = [...text.matchAll(/\s*('(?:[^']|'')*'|\d+|[A-Za-z]+|[(),.])/gy)].map(
      ([, token = ""]) => token,
    );
    if (tokens.join("") !== text.replaceAll(/\s+(?=(?:[^']*'[^']*')*[^']*$)/g, "")) {
      throw new Error(`Not an expression: ${text}`);
    }
    let at = 0;
    const expect = (token: string) => {
      if (tokens[at++] !== token) throw new Error(`There should be a ${token} in ${text}`);
    };
    const term = (): Json => {
      const token = tokens[at++] ?? "";
      if (token.startsWith("'")) return token.slice(1, -1).replaceAll("''", "'");
      if (/^\d/.test(token)) return Number(token);
      expect("(");
      const values: Json[] = [];
      while (tokens[at] !== ")") {
        if (values.length > 0) expect(",");
        values.push(term());
      }
      expect(")");
      let result = this.call(token, values);
      while (tokens[at] === ".") {
        const name = tokens[at + 1] ?? "";
        at += 2;
        result = (result as Readonly<Record<string, Json>>)[name] ?? `<${name}>`;
      }
      return result;
    };
    const result = term();
    if (at !== tokens.length) throw new Error(`There is something after the end of ${text}`);
    return result;
  }

  private call(name: string, values: readonly Json[]): Json {
    const [first = null, second = null, third = null] = values;
    switch (name) {
      case "parameters":
        return this.parameter(textOf(first));
      case "variables":
        if (!Object.hasOwn(this.template.variables, textOf(first)))
          throw new Error(`No variable ${textOf(first)}.`);
        return this.value(this.template.variables[textOf(first)] ?? null);
      case "if":
        return first === true ? second : third;
      case "empty":
        return (first as string | readonly Json[]).length === 0;
      case "concat":
        return typeof first === "string"
          ? values.map(textOf).join("")
          : (values as readonly (readonly Json[])[]).flat();
      case "createArray":
        return values;
      case "createObject":
        return Object.fromEntries(
          values.flatMap((each, index) =>
            index % 2 === 0 ? [[textOf(each), values[index + 1] ?? null]] : [],
          ),
        );
      case "string":
        return typeof first === "string" ? first : JSON.stringify(first);
      case "json":
        return JSON.parse(textOf(first)) as Json;
      case "resourceGroup":
        return { location: "westeurope" };
      case "resourceId":
        return `/subscriptions/s/resourceGroups/g/providers/${textOf(first)}/${textOf(second)}`;
      case "reference":
        // What a deployment would look up: any property of it stands for itself.
        return { configuration: { ingress: { fqdn: "gateway.example.com" } } };
      default:
        throw new Error(`There is no function ${name}.`);
    }
  }

  private parameter(name: string): Json {
    const parameter = this.template.parameters[name];
    if (!parameter) throw new Error(`No parameter ${name}.`);
    const value =
      this.given[name] ??
      (parameter.defaultValue === undefined ? undefined : this.value(parameter.defaultValue));
    if (value === undefined) throw new Error(`The parameter ${name} must be given.`);
    if ((parameter.type === "int") !== (typeof value === "number"))
      throw new Error(`${name} is not ${parameter.type}.`);
    return value;
  }
}

interface Mapper {
  readonly serializedName?: string;
  readonly required?: boolean;
  readonly readOnly?: boolean;
  readonly type: {
    readonly name: string;
    readonly className?: string;
    readonly allowedValues?: readonly Json[];
    readonly element?: Mapper;
    readonly value?: Mapper;
    readonly modelProperties?: Readonly<Record<string, Mapper>>;
  };
}

const kinds: Readonly<Record<string, string>> = {
  "Microsoft.App/containerApps": "ContainerApp",
  "Microsoft.App/managedEnvironments": "ManagedEnvironment",
};

/** What the description of the API has against a resource: fields that there are not, wrong types, what is missing. */
export function resourceProblems(resource: Readonly<Record<string, Json>>): string[] {
  const { type = null, apiVersion = null, name } = resource;
  const others = ["condition", "dependsOn", "type", "apiVersion", "name"];
  const body = Object.fromEntries(Object.entries(resource).filter(([key]) => !others.includes(key)));
  const kind = kinds[textOf(type)];
  if (kind === undefined) return [`${textOf(type)} is not known here.`];
  // The version that the package is made from; another one has another description.
  const problems = apiVersion === "2025-01-01" ? [] : [`${textOf(type)}: apiVersion ${textOf(apiVersion)}`];
  if (typeof name !== "string") problems.push(`${textOf(type)}: no name`);
  return [...problems, ...problemsOf(body, named(kind), kind)];
}

const named = (className: string): Mapper => {
  // The package does not export them: they are what its serializer goes by.
  const file = join(dirname(toolFile("@azure/arm-appcontainers")), "models", "mappers.js");
  const mappers = tool(file) as Readonly<Record<string, Mapper>>;
  const mapper = mappers[className];
  if (!mapper) throw new Error(`There is no mapper ${className}.`);
  return mapper;
};

function problemsOf(value: Json, mapper: Mapper, path: string): string[] {
  const { name, className, allowedValues, element, value: each } = mapper.type;
  const wrong = (expected: string) => [`${path} must be ${expected}, not ${JSON.stringify(value)}`];
  switch (name) {
    case "String":
    case "Uuid":
      return typeof value === "string" ? [] : wrong("a text");
    case "Number":
      return typeof value === "number" ? [] : wrong("a number");
    case "Boolean":
      return typeof value === "boolean" ? [] : wrong("true or false");
    case "Enum":
      return (allowedValues ?? []).includes(value)
        ? []
        : wrong(`one of ${(allowedValues ?? []).map(textOf).join(", ")}`);
    case "Sequence":
      if (!Array.isArray(value)) return wrong("a list");
      return value.flatMap((item: Json, index) => problemsOf(item, element!, `${path}[${index}]`));
    case "Dictionary":
      if (!isObject(value)) return wrong("an object");
      return Object.entries(value).flatMap(([key, item]) => problemsOf(item, each!, `${path}.${key}`));
    case "Composite":
      if (!isObject(value)) return wrong("an object");
      return compositeProblems(
        value,
        mapper.type.modelProperties ?? named(className ?? "").type.modelProperties ?? {},
        path,
      );
    default:
      return [];
  }
}

function compositeProblems(
  value: Readonly<Record<string, Json>>,
  properties: Readonly<Record<string, Mapper>>,
  path: string,
): string[] {
  // `properties.configuration` lies one level deeper than the mapper says.
  const byName = new Map(Object.values(properties).map((each) => [each.serializedName ?? "", each]));
  const inner = [...byName].filter(([name]) => name.startsWith("properties."));
  const problems: string[] = [];
  for (const [name, item] of Object.entries(value)) {
    const mapper = byName.get(name);
    if (mapper?.readOnly) problems.push(`${path}.${name} is Azure's to set`);
    else if (mapper) problems.push(...problemsOf(item, mapper, `${path}.${name}`));
    else if (name === "properties" && inner.length > 0 && isObject(item)) {
      const lifted = Object.fromEntries(
        inner.map(([full, each]) => [full, { ...each, serializedName: full.slice("properties.".length) }]),
      );
      problems.push(...compositeProblems(item, lifted, `${path}.properties`));
    } else problems.push(`${path} has no ${name}`);
  }
  for (const [name, mapper] of byName) {
    if (mapper.required && !name.includes(".") && value[name] === undefined)
      problems.push(`${path} needs ${name}`);
  }
  return problems;
}

const isObject = (value: Json): value is Readonly<Record<string, Json>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const textOf = (value: Json): string => (typeof value === "string" ? value : JSON.stringify(value));
