/** The other programs of a supergraph, each a process that tells when it is ready. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { endWithParent } from "../../support/end-with-parent";

/** A process that is ready, and what it told when it was. Disposing of it kills it. */
export interface ReadyProcess extends AsyncDisposable {
  readonly told: unknown;
}

/** Resolves when it has told something. Rejects with its output when it ends before. */
export async function startProcess(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<ReadyProcess> {
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
