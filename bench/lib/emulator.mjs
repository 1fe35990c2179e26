/** The emulator of ACS Identity as a process, over TLS and with a key of its own: what production insists on. */
import { fileURLToPath } from "node:url";
import { startChild } from "./children.mjs";

/** The command line, built. */
export const program = fileURLToPath(new URL("../../dist/bin/acs-token-gateway.js", import.meta.url));

/** Starts it without limits. */
export async function startEmulator() {
  const args = [program, "emulator", "--port", "0", "--tls", "--limits", "off"];
  const child = startChild("load", process.execPath, args);
  const [, origin] = await child.prints(/ACS Identity emulator {2}(\S+)\/?\s/);
  const [, secure] = await child.prints(/over TLS +(\S+)\/?\s/);
  const [, ca] = await child.prints(/certificate authority +(\S+)/);
  const control = async (method, path, body) => {
    const answer = await fetch(new URL(`/_emulator/${path}`, origin), {
      method,
      ...(body === undefined
        ? {}
        : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`The emulator answers ${answer.status} to ${path}.`);
    return await answer.json().catch(() => undefined);
  };
  // The published key is refused in production.
  const { secret: key } = await control("POST", "rotate-key", {});
  return {
    pid: child.pid,
    connectionString: `endpoint=${secure.replace(/\/?$/, "/")};accesskey=${key}`,
    /** The file of the certificate authority that its clients must trust. */
    ca,
    setLatency: (latencyMs) => control("PATCH", "settings", { latencyMs }),
    counts: () => control("GET", "counts"),
    resetCounts: () => control("DELETE", "counts"),
    end: () => child.end("SIGTERM"),
  };
}
