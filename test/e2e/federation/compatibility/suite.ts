/** Runs the public compatibility suite, by its own Jest and configuration, and reads what it found. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suiteFolder } from "./supergraph";

/** One test of the suite, as Jest reports it. */
export interface SuiteTest {
  readonly fullName: string;
  readonly status: string;
  readonly failureMessages: readonly string[];
}

interface Report {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly SuiteTest[];
  }[];
}

/**
 * What the suite finds in the subgraph `products`, and through the router that composed it with the others. Rejects
 * when the suite, or a file of it, could not be run.
 */
export async function runSuite(products: string, router: string): Promise<readonly SuiteTest[]> {
  const folder = await mkdtemp(join(tmpdir(), "acs-token-gateway-compatibility-"));
  try {
    const file = join(folder, "report.json");
    const output = await runJest(file, { PRODUCTS_URL: products, ROUTER_URL: router });
    const report = await readFile(file, "utf8").catch(() => {
      throw new Error(`The suite did not run:\n${output}`);
    });
    const { testResults: files } = JSON.parse(report) as Report;
    const broken = files.find(({ assertionResults }) => assertionResults.length === 0);
    if (broken) throw new Error(broken.message);
    return files.flatMap(({ assertionResults }) => assertionResults);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** As the suite starts it, with a setup file more. Resolves with what it wrote, whether tests have failed or not. */
function runJest(report: string, env: NodeJS.ProcessEnv): Promise<string> {
  const args = [
    join(__dirname, "node_modules", "jest", "bin", "jest.js"),
    "dist/tests/",
    "--ci",
    "--runInBand",
    ...["--config", join(suiteFolder, "federation-jest.config.js")],
    ...["--setupFiles", join(__dirname, "use-router.js")],
    ...["--json", "--outputFile", report],
  ];
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env }, timeout: 60_000, maxBuffer: 2 ** 24 };
    execFile(process.execPath, args, options, (_error, stdout, stderr) => {
      resolve(stdout + stderr);
    });
  });
}
