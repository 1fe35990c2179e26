/** A server as a process of its own whose memory and processor time can be read, and requests for it. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { endWithParent } from "./end-with-parent";
import { freshEnvironment } from "./program";

/** What a process has used. */
export interface Used {
  readonly heapBytes: number;
  readonly cpuMicroseconds: number;
}

export class MeasuredProcess implements AsyncDisposable {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {}

  /** Resolves when it has printed a URL that ends in /graphql. */
  static async start(
    file: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<MeasuredProcess> {
    const child = fork(file, args, {
      // So much room for what is new that nothing is collected while requests are counted.
      execArgv: [
        "--expose-gc",
        "--min-semi-space-size=256",
        "--max-semi-space-size=256",
        "--require",
        join(__dirname, "probe.js"),
      ],
      env: freshEnvironment(environment),
      stdio: ["ignore", "pipe", "inherit", "ipc"],
    });
    endWithParent(child);
    let printed = "";
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        printed += text;
        const found = /(http:\/\/\S+\/graphql)\s/.exec(printed)?.[1];
        if (found !== undefined) resolve(found);
      });
      child.once("exit", () => {
        reject(new Error(`${file} ended before it listened: ${printed}`));
      });
    });
    return new MeasuredProcess(child, url);
  }

  /** @param collect garbage first. */
  async used(collect = false): Promise<Used> {
    const told = once(this.child, "message");
    this.child.send(collect ? "collect" : "tell");
    return ((await told) as [Used])[0];
  }

  /** Sends requests, some at a time. Rejects when one is not answered 200. */
  async ask(count: number, headers: Readonly<Record<string, string>>, body: string): Promise<void> {
    const agent = new Agent({ keepAlive: true });
    let left = count;
    const one = () =>
      new Promise<void>((resolve, reject) => {
        const sent = request(
          this.url,
          { method: "POST", agent, headers: { ...headers, "content-length": Buffer.byteLength(body) } },
          (response) => {
            if (response.statusCode !== 200) reject(new Error(`It answered ${response.statusCode ?? 0}.`));
            response.resume().on("end", resolve);
          },
        );
        sent.on("error", reject).end(body);
      });
    const worker = async () => {
      while (left-- > 0) await one();
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    agent.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await ended;
  }
}
