/** A real OpenID Connect server in a process of its own: discovery, key rotation, JWT access tokens. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { endWithParent } from "./end-with-parent";
import { freePort } from "./free-port";

export interface OidcServer extends AsyncDisposable {
  readonly issuer: string;
  /** An access token of a user who has signed in to the app. */
  mint(subject: string, claims?: Record<string, unknown>): Promise<string>;
  /** An access token that a service gets by its own credentials (RFC 6749, section 4.4). */
  clientCredentials(scope: string): Promise<string>;
  /** Other keys from now on, as after a restart with a new configuration. */
  rotate(): Promise<void>;
  /** Ends it; `start` brings it back on the same port, with new keys. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** Starts it on a free loopback port. Its tokens' audience is `api://gateway`. */
export async function startOidcServer(): Promise<OidcServer> {
  const port = await freePort();
  let child: ChildProcess;
  let lines: Interface;
  const answer = async (): Promise<unknown> => {
    for (;;) {
      const [line] = (await once(lines, "line")) as [string];
      if (line.startsWith('{"answer"')) return (JSON.parse(line) as { answer: unknown }).answer;
    }
  };
  const tell = async (command: object): Promise<unknown> => {
    const answered = answer();
    child.stdin?.write(`${JSON.stringify(command)}\n`);
    return answered;
  };
  const start = async () => {
    child = spawn(process.execPath, [join(__dirname, "oidc-process.mjs"), String(port)], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    endWithParent(child);
    lines = createInterface({ input: child.stdout! });
    await answer();
  };
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  };
  await start();
  return {
    issuer: `http://127.0.0.1:${port}`,
    mint: async (subject, claims = {}) => String(await tell({ mint: { subject, claims } })),
    clientCredentials: async (scope) => {
      const response = await fetch(`http://127.0.0.1:${port}/token`, {
        method: "POST",
        headers: { authorization: `Basic ${btoa("service:a+secret+of+the+service")}` },
        body: new URLSearchParams({ grant_type: "client_credentials", scope, resource: "api://gateway" }),
      });
      return ((await response.json()) as { access_token: string }).access_token;
    },
    rotate: async () => {
      await tell({ rotate: true });
    },
    stop,
    start,
    [Symbol.asyncDispose]: stop,
  };
}
