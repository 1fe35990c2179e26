/** `operations`: makes an operation list for the gateway from the documents of its clients. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import {
  buildASTSchema,
  concatAST,
  GraphQLError,
  Kind,
  parse,
  print,
  separateOperations,
  Source,
  specifiedRules,
  validate,
  type DocumentNode,
  type GraphQLSchema,
} from "graphql";
import { gatewayTypeDefs } from "../src/gateway";
import { StartupError } from "../src/startup-error";
import { defaultOperationLimits } from "../src/schema/operation-limits";

/** Apollo's persisted query manifest: one entry an operation. */
export interface OperationManifest {
  readonly format: "apollo-persisted-query-manifest";
  readonly version: 1;
  /** Sorted by name. */
  readonly operations: readonly {
    /** SHA-256 of the body, in hex. */
    readonly id: string;
    readonly name: string;
    readonly type: string;
    /** The operation and the fragments that it uses, printed one way only. */
    readonly body: string;
  }[];
}

/** Options of `operations`. */
export interface OperationsOptions {
  readonly out?: string;
}

/** Writes the manifest of the documents in `patterns` to `out`, or to stdout. */
export async function operations(patterns: readonly string[], { out }: OperationsOptions): Promise<void> {
  const manifest = await operationManifest(patterns);
  const text = `${JSON.stringify(manifest, undefined, 2)}\n`;
  if (out === undefined) process.stdout.write(text);
  else {
    writeFileSync(out, text);
    process.stderr.write(`${manifest.operations.length} operations written to ${out}.\n`);
  }
}

/**
 * The manifest of the operations in the files that `patterns` name: files, folders, or patterns with `*` and `**`.
 * The same operations give the same manifest, whatever order and files they stand in.
 * @throws StartupError with everything that is wrong with the documents.
 */
export async function operationManifest(patterns: readonly string[]): Promise<OperationManifest> {
  const files = [...new Set(patterns.flatMap(filesOf))].sort();
  const document = concatAST(files.map(parsed));
  const schema = buildASTSchema(parse(await gatewayTypeDefs()), { assumeValidSDL: true });
  complainAbout(problemsOf(document, schema));
  const entries = Object.entries(separateOperations(document)).map(([name, alone]) => entry(name, alone));
  if (entries.length === 0) throw new StartupError("The documents hold no operation.");
  const sorted = entries.sort((one, other) => (one.name < other.name ? -1 : 1));
  return { format: "apollo-persisted-query-manifest", version: 1, operations: sorted };
}

function entry(name: string, { definitions }: DocumentNode): OperationManifest["operations"][number] {
  const operation = definitions.find((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  const fragments = definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
  if (!operation) throw new Error("An operation has no definition.");
  fragments.sort((one, other) => (one.name.value < other.name.value ? -1 : 1));
  const body = print({ kind: Kind.DOCUMENT, definitions: [operation, ...fragments] });
  const { maxTokens } = defaultOperationLimits;
  try {
    parse(body, { maxTokens });
  } catch {
    throw new StartupError(`The operation ${name} has more than ${maxTokens} tokens: split it.`);
  }
  const id = createHash("sha256").update(body).digest("hex");
  return { id, name, type: operation.operation, body };
}

/** What is wrong with all of it together: names must be there and differ, fragments be known, fields and limits right. */
function problemsOf(document: DocumentNode, schema: GraphQLSchema): readonly GraphQLError[] {
  const nameless = document.definitions.filter(
    (definition) => definition.kind === Kind.OPERATION_DEFINITION && !definition.name,
  );
  if (nameless.length > 0) {
    return nameless.map((node) => new GraphQLError("Every operation needs a name.", { nodes: node }));
  }
  return validate(schema, document, specifiedRules);
}

function complainAbout(problems: readonly GraphQLError[]): void {
  if (problems.length === 0) return;
  const lines = problems.map(({ message, nodes, source, locations }) => {
    const where = source ?? nodes?.[0]?.loc?.source;
    return `  - ${where?.name ?? "?"}:${locations?.[0]?.line ?? 1}: ${message}`;
  });
  throw new StartupError(`The documents cannot be used:\n${lines.join("\n")}`);
}

function parsed(file: string): DocumentNode {
  try {
    return parse(new Source(readFileSync(file, "utf8"), file));
  } catch (error) {
    if (error instanceof GraphQLError) complainAbout([error]);
    throw error;
  }
}

/** The files of one argument. Shells that leave patterns alone are served too. */
function filesOf(pattern: string): string[] {
  if (existsSync(pattern)) {
    return statSync(pattern).isDirectory() ? filesOf(`${pattern}/**/*.{graphql,gql}`) : [resolve(pattern)];
  }
  const path = resolve(pattern).split(sep).join("/");
  const plain = path.slice(0, path.search(/[*?{]|$/));
  const fixed = plain.slice(0, plain.lastIndexOf("/") + 1);
  const files = existsSync(fixed)
    ? readdirSync(fixed, { recursive: true, encoding: "utf8" })
        .map((name) => join(fixed, name))
        .filter((file) => expression(path).test(file.split(sep).join("/")) && statSync(file).isFile())
    : [];
  if (files.length === 0) throw new StartupError(`There is no file ${pattern}.`);
  return files;
}

/** `*` and `?` within a name, `**` across folders, `{a,b}` either. */
function expression(pattern: string): RegExp {
  const parts = pattern.split(/(\*\*\/|\*|\?|\{[^{}]*\})/).map((part) => {
    if (part === "**/") return "(?:.*/)?";
    if (part === "*") return "[^/]*";
    if (part === "?") return "[^/]";
    if (part.startsWith("{")) return `(?:${part.slice(1, -1).split(",").map(literally).join("|")})`;
    return literally(part);
  });
  return new RegExp(`^${parts.join("")}$`);
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
