/** A real redis-server of a test's own: free loopback port, no persistence unless told, ended by pid. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endWithParent } from "./end-with-parent";
import { freePort } from "./free-port";

export interface RedisOptions {
  /** More arguments for redis-server. */
  readonly args?: readonly string[];
  readonly port?: number;
  /** Runs it as a sentinel with this configuration. */
  readonly sentinel?: readonly string[];
}

export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  /** Where its files are. */
  readonly directory: string;
  /** Freezes it (SIGSTOP): connections stay, nothing answers. */
  pause(): void;
  /** Thaws it (SIGCONT). */
  resume(): void;
  /** Ends it as a crash would (SIGKILL); resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port and folder; resolves when it answers. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts redis-server and waits until it answers. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const port = options.port ?? (await freePort());
  const directory = await mkdtemp(join(tmpdir(), "acs-token-gateway-redis-"));
  const binary = process.env.REDIS_SERVER_PATH ?? "redis-server";
  const place = ["--port", String(port), "--bind", "127.0.0.1", "--dir", directory];
  const args = options.sentinel
    ? [join(directory, "sentinel.conf"), "--sentinel", ...place]
    : [...place, "--save", "", "--appendonly", "no", ...(options.args ?? [])];
  if (options.sentinel) await writeFile(join(directory, "sentinel.conf"), `${options.sentinel.join("\n")}\n`);
  let child: ChildProcess;

  const start = async () => {
    child = spawn(binary, args, { stdio: "ignore" });
    endWithParent(child);
    const failed = new Promise<never>((_, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => {
        reject(new Error(`redis-server on port ${port} ended with code ${code}.`));
      });
    });
    failed.catch(() => undefined);
    await Promise.race([untilItAnswers(port), failed]);
  };
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGCONT");
    child.kill("SIGKILL");
    await exited;
  };
  const stop = async () => {
    await kill();
    await rm(directory, { recursive: true, force: true });
  };
  await start();
  return {
    port,
    directory,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return child.pid ?? 0;
    },
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    kill,
    restart: start,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function untilItAnswers(port: number): Promise<void> {
  for (const deadline = Date.now() + 10_000; !(await answersPing(port));) {
    if (Date.now() > deadline) throw new Error(`redis-server on port ${port} did not answer in 10 seconds.`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("data", (data) => {
      done(data.toString().startsWith("+PONG"));
    });
    socket.once("error", () => {
      done(false);
    });
  });
}
