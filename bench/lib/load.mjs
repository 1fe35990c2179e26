/** The load process as the bench sees it. */
import { fileURLToPath } from "node:url";
import { Worker } from "./worker.mjs";

const file = fileURLToPath(new URL("../load/main.mjs", import.meta.url));

/** Starts the process that makes the load. */
export function startLoad() {
  return Worker.start("load", file);
}

/** Where a URL's server listens, and the path. */
export function targetOf(url) {
  const { hostname, port, pathname } = new URL(url);
  return { host: hostname, port: Number(port), path: pathname };
}
