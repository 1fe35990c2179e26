/** The gateway as a process: configuration, gateway, listen; drains on SIGTERM and SIGINT; exit code. */
import { ConfigError, loadConfig, type Config, type Environment } from "./config";
import { createGateway } from "./gateway";
import { MetricsPortUnusable } from "./server/metrics-server";
import { OperationListUnusable } from "./server/operation-list";
import { TlsUnusable } from "./server/tls-files";
import { DatabaseUnusable } from "./services/identities/directory/sql";
import { RedisUnusable } from "./services/redis/redis-connection";

/** A gateway that listens. */
export interface RunningGateway extends AsyncDisposable {
  readonly config: Config;
  /** The endpoint: `http://127.0.0.1:4000/graphql`. */
  readonly url: string;
  /** The server's address without a path. */
  readonly origin: string;
}

/** Something that the operator can mend; the message says how, and no stack is needed. */
export class StartupError extends Error {
  override readonly name = "StartupError";
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

/** Resolves when the process is asked to end: SIGINT (Ctrl-C) or SIGTERM. A second signal ends it at once. */
export function untilAskedToEnd(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, resolve);
  });
}

/** Node's listen errors in words; other errors unchanged. */
export function asStartupError(error: unknown): unknown {
  const mendable = [
    ConfigError,
    DatabaseUnusable,
    MetricsPortUnusable,
    OperationListUnusable,
    RedisUnusable,
    TlsUnusable,
  ].some((kind) => error instanceof kind);
  if (mendable && error instanceof Error) return new StartupError(error.message);
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
