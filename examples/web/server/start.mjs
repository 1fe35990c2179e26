/** Starts all that the example needs: an issuer, the page, and a gateway with its emulator. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { audience, clientId, startOidc } from "./oidc.mjs";
import { startPage } from "./page.mjs";

/**
 * @param options `program`: the gateway's built command line. `page`: the folder of the built page. `ports`: where to listen
 * on 127.0.0.1, 0 for free ones.
 * @returns where everything is, when all of it answers; `close` ends it all, `ended` says that the gateway has ended.
 */
export async function startExample({ program, page: folder, ports }) {
  const directory = mkdtempSync(join(tmpdir(), "acs-token-gateway-example-"));
  const closing = [() => rmSync(directory, { recursive: true, force: true })];
  const close = async () => {
    for (const each of closing.splice(0).reverse()) await each();
  };
  try {
    const oidc = await startOidc(ports.oidc);
    closing.push(oidc.close);
    const page = await startPage(ports.page, folder);
    closing.push(page.close);
    oidc.serve(page.origin);
    const child = spawn(process.execPath, [program, "start"], {
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        PORT: String(ports.gateway),
        EMULATOR_PORT: String(ports.emulator),
        OIDC_ISSUERS: `${oidc.issuer} audience=${audience} guests=role:guest`,
        CORS_ORIGINS: page.origin,
        DIRECTORY_PATH: directory,
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "exit");
    closing.push(async () => {
      child.kill("SIGTERM");
      await ended;
    });
    const endpoint = await announced(child, ended);
    page.serve({ endpoint, issuer: oidc.issuer, clientId });
    return { page: page.origin, endpoint, issuer: oidc.issuer, ended, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The address in what the gateway prints when it listens. */
async function announced(child, ended) {
  let text = "";
  child.stdout.setEncoding("utf8");
  const address = new Promise((resolve) => {
    child.stdout.on("data", (piece) => {
      text += piece;
      const found = /^ *Gateway +(http\S+)/m.exec(text)?.[1];
      if (found) resolve(found);
    });
  });
  const gone = ended.then(() => {
    throw new Error("The gateway did not start.");
  });
  return Promise.race([address, gone]);
}
