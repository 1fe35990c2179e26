/** The rest of the supergraph that the suite asks: its own two subgraphs and a router, each a process. */
import { join } from "node:path";
import { ClosingList } from "../../../../src/closing-list";
import { freePort } from "../../../support/free-port";
import { startProcess } from "../processes";
import { describeSubgraph } from "../subgraph";

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
    const described = await Promise.all(all.map(({ name, url }) => describeSubgraph(name, url)));
    const program = join(__dirname, "apollo-gateway.mjs");
    const router = processes.add(await startProcess(program, [JSON.stringify(described)]));
    const { url } = router.told as { url: string };
    return { url, [Symbol.asyncDispose]: () => processes[Symbol.asyncDispose]() };
  } catch (error) {
    await processes[Symbol.asyncDispose]();
    throw error;
  }
}
