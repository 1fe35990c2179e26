/** The gateway as a process: configuration, gateway, listen; drains on SIGTERM and SIGINT; exit code. */
import { loadConfig, type Config, type Environment } from "./config";
import { createGateway, type Gateway } from "./gateway";
import { sleep } from "./services/sleep";
import { StartupError } from "./startup-error";

/** A gateway that listens. */
export interface RunningGateway extends AsyncDisposable {
  readonly config: Config;
  /** The endpoint: `http://127.0.0.1:4000/graphql`. */
  readonly url: string;
  /** The server's address without a path. */
  readonly origin: string;
  /**
   * Says that it is about to end, and serves on for a while if it was asked by a machine: load balancers need the time
   * to learn of it, a person does not. From then on the process ends within bounds, whatever hangs.
   */
  drain(askedBy: NodeJS.Signals): Promise<void>;
}

/** Starts a gateway from environment variables. Throws {@link StartupError} for everything the operator can mend. */
export async function startGateway(environment: Environment): Promise<RunningGateway> {
  try {
    const config = loadConfig(environment);
    const gateway = await createGateway(config, { ofProcess: true });
    try {
      const { url, origin } = await gateway.start();
      return {
        config,
        url,
        origin,
        drain: (askedBy) => drain(gateway, config, askedBy),
        [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
      };
    } catch (error) {
      await gateway[Symbol.asyncDispose]();
      throw error;
    }
  } catch (error) {
    throw asStartupError(error);
  }
}

/** What closing may take beside the requests in flight, in milliseconds, before the process is ended hard. */
const closeMs = 10_000;

async function drain(
  gateway: Pick<Gateway, "drain">,
  { http: { drainDelayMs, drainTimeoutMs } }: Config,
  askedBy: NodeJS.Signals,
): Promise<void> {
  const delayMs = askedBy === "SIGTERM" ? drainDelayMs : 0;
  setTimeout(
    () => {
      process.stderr.write("acs-token-gateway: It did not end in time, and is ended.\n");
      process.exit(1);
    },
    delayMs + drainTimeoutMs + closeMs,
  ).unref();
  gateway.drain(delayMs);
  await sleep(delayMs);
}

/** Node's listen errors in words; other errors unchanged. */
function asStartupError(error: unknown): unknown {
  const { code, port, address } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  switch (code) {
    case "EADDRINUSE":
      return new StartupError(
        `Port ${port ?? ""} is in use. Set PORT to another one, or to 0 for any free one.`,
      );
    case "EACCES":
      return new StartupError(`This user may not listen on port ${port ?? ""}. Set PORT to one above 1023.`);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new StartupError(
        `This machine has no address ${address ?? ""}. Set HOST to one of its own, or 0.0.0.0.`,
      );
    default:
      return error;
  }
}
