/** The rest of the supergraph that the suite asks: its own two subgraphs and a router, each a process. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { ClosingList } from "../../../src/closing-list";
import { endWithParent } from "../../support/end-with-parent";
import { freePort } from "../../support/redis-server";

/** The suite, as npm installs it. */
export const suiteFolder = join(
  __dirname,
  "node_modules",
  "@apollo",
  "federation-subgraph-compatibility-tests",
);

/** Starts it around the subgraph `products`. `url` is the router's. */
export async function startSupergraph(products: string): Promise<{ readonly url: string } & AsyncDisposable> {
  const processes = new ClosingList();
  try {
    const subgraphs = await Promise.all(
      ["users", "inventory"].map(async (name) => {
        const port = await freePort();
        const program = join(suiteFolder, "dist", "subgraphs", name, "index.js");
        processes.add(await startProcess(program, [], { [`${name.toUpperCase()}_PORT`]: String(port) }));
        return { name, url: `http://127.0.0.1:${port}/` };
      }),
    );
    const all = [{ name: "products", url: products }, ...subgraphs];
    const router = processes.add(await startProcess(join(__dirname, "router.mjs"), [JSON.stringify(all)]));
    return { url: String(router.told), [Symbol.asyncDispose]: () => processes[Symbol.asyncDispose]() };
  } catch (error) {
    await processes[Symbol.asyncDispose]();
    throw error;
  }
}

/** A process that is ready, and what it told when it was. Rejects with its output when it ends before. */
async function startProcess(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = fork(program, args, {
    env: { ...process.env, ...env },
    execArgv: [],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  endWithParent(child);
  let output = "";
  for (const pipe of [child.stdout, child.stderr])
    pipe?.setEncoding("utf8").on("data", (text: string) => (output += text));
  const closed = once(child, "close");
  const ended = closed.then(() => {
    throw new Error(`${program} ended before it was ready:\n${output}`);
  });
  const [told] = (await Promise.race([once(child, "message"), ended])) as unknown[];
  ended.catch(() => undefined);
  return {
    told,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await closed;
    },
  };
}
