/**
 * What the Kubernetes API itself says of objects, offline: the JSON Schemas that are made from its OpenAPI description
 * (values, formats, what is required), and the TypeScript compiler with the types from the same description (fields that
 * do not exist).
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import ts from "typescript";
import { toolsFolder } from "./tools";

/** An object of Kubernetes, as far as it is the same for all. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
}

/** Makes a function that tells what is wrong with objects, each line beginning with the kind. It reads the types once. */
export function kubernetesChecker(): (objects: readonly KubernetesObject[]) => Promise<string[]> {
  const parsed = new Map<string, ts.SourceFile | undefined>();
  return async (objects) => [...(await schemaProblems(objects)), ...typeProblems(objects, parsed)];
}

async function schemaProblems(objects: readonly KubernetesObject[]): Promise<string[]> {
  const child = spawn(process.execPath, [join(toolsFolder, "validate-kubernetes.mjs")]);
  child.stdin.end(JSON.stringify(objects));
  const [output, complaints] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (child.exitCode === null) await once(child, "exit");
  if (child.exitCode !== 0) throw new Error(complaints);
  const problems = JSON.parse(output) as string[];
  return problems.flatMap((problem, index) =>
    problem === "" ? [] : [`${objects[index]?.kind ?? ""}: ${problem}`],
  );
}

function typeProblems(
  objects: readonly KubernetesObject[],
  parsed: Map<string, ts.SourceFile | undefined>,
): string[] {
  const file = join(toolsFolder, "objects.ts");
  const lines = objects.map((object, index) => {
    const operator = object.apiVersion.startsWith("monitoring.coreos.com/");
    const from = operator ? "@kubernetes-models/prometheus-operator" : "kubernetes-models";
    const module = `${from}/${object.apiVersion}/${object.kind}`;
    return `export const object${index}: import("${module}").I${object.kind} = ${JSON.stringify(object)};`;
  });
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    target: ts.ScriptTarget.ES2023,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (name, version, ...rest) => {
    if (name === file) return ts.createSourceFile(name, lines.join("\n"), version);
    const source = parsed.get(name) ?? read(name, version, ...rest);
    parsed.set(name, source);
    return source;
  };
  const program = ts.createProgram([file], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText, start = 0, file: where }) => {
    const line = where?.getLineAndCharacterOfPosition(start).line;
    const kind = line === undefined ? "TypeScript" : (objects[line]?.kind ?? "");
    return `${kind}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
  });
}
