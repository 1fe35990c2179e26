/** The real program as a process of its own, which tests freeze and kill; also with a part of it cut out. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { announced, Program, type Ended } from "./program";
import { GraphqlClient } from "./graphql-client";
import { developmentKey, encryptionKeys } from "./world";

const root = join(__dirname, "..", "..");

/** A gateway process. Disposing of it kills it. */
export interface GatewayProcess extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  readonly origin: string;
  readonly client: GraphqlClient;
  /** What it has logged. */
  readonly log: string;
  /** How it ended by itself, if it has. */
  readonly died: string | undefined;
  /** Freezes it (SIGSTOP). */
  pause(): void;
  /** Thaws it (SIGCONT). */
  resume(): void;
  /** Ends it as a crash would (SIGKILL); resolves when it is gone. */
  kill(): Promise<void>;
  /** Sends a signal. */
  signal(signal: NodeJS.Signals): void;
  /** Asks it to end; resolves when it has. */
  end(signal: NodeJS.Signals): Promise<Ended>;
}

/** Starts a gateway from `dist`, or from a patched build; resolves when it listens. */
export async function startGatewayProcess(
  environment: Readonly<Record<string, string>>,
  build?: PatchedBuild,
): Promise<GatewayProcess> {
  const program = new Program({
    ...(build ? { file: process.execPath, args: [build.file, "start"] } : { args: ["start"] }),
    environment: {
      DEVELOPMENT_API_KEY: developmentKey,
      TOKEN_ENCRYPTION_KEYS: encryptionKeys,
      EXPLORER: "false",
      ...environment,
    },
  });
  const { url, origin } = await announced(program);
  let [wanted, died] = [false, undefined as string | undefined];
  const kill = async () => {
    wanted = true;
    program.signal("SIGCONT");
    await program.end("SIGKILL");
  };
  void program.ended.then(({ code, signal, stderr }) => {
    if (!wanted) died = `${code ?? signal ?? ""}: ${stderr.slice(-2_000)}`;
  });
  return {
    pid: program.pid,
    url,
    origin,
    client: new GraphqlClient(url, { "x-api-key": developmentKey }),
    get log() {
      return program.stderr;
    },
    get died() {
      return died;
    },
    pause: () => {
      program.signal("SIGSTOP");
    },
    resume: () => {
      program.signal("SIGCONT");
    },
    kill,
    signal: (signal) => {
      program.signal(signal);
    },
    end: (signal) => {
      wanted = true;
      return program.end(signal);
    },
    [Symbol.asyncDispose]: kill,
  };
}

/** A copy of the built program in which something is different. */
export interface PatchedBuild extends Disposable {
  /** The command line's file. */
  readonly file: string;
}

/** Copies `dist` and replaces `find`, which must occur once, in one of its files: to see what breaks without it. */
export function patchedBuild(file: string, find: string, replace: string): PatchedBuild {
  const cache = join(root, ".cache");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "patched-"));
  // Beside the package's own files, because the program finds its root by them.
  cpSync(join(root, "dist"), join(folder, "dist"), { recursive: true });
  for (const part of ["package.json", "schema.graphql", "operations"])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  const path = join(folder, "dist", file);
  const text = readFileSync(path, "utf8");
  if (text.split(find).length !== 2) throw new Error(`${file} does not hold exactly one: ${find}`);
  writeFileSync(
    path,
    text.replace(find, () => replace),
  );
  return {
    file: join(folder, "dist", "bin", "acs-token-gateway.js"),
    [Symbol.dispose]: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
