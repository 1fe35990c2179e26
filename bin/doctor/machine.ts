/** This machine: the port, Node.js, and the limits that the operating system sets. */
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { totalmem } from "node:os";
import { join } from "node:path";
import { getHeapStatistics } from "node:v8";
import type { Config } from "../../src/config";
import { packageRoot } from "../../src/package-root";
import { reasonOf } from "../../src/services/redis/reason-of";
import { Findings, type Check } from "./finding";

/** What needs no configuration, and what does if there is one. */
export function machineChecks(config: Config | undefined): Check[] {
  return [
    {
      part: "machine",
      run: () => {
        const findings = new Findings("machine");
        judgeNode(findings);
        if (config) {
          judgeFiles(findings, config);
          judgeMemory(findings, config);
        }
        return Promise.resolve(findings.all);
      },
    },
    ...(config ? [portCheck(config)] : []),
  ];
}

function judgeNode(findings: Findings): void {
  const { engines } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as {
    engines: { node: string };
  };
  const [wanted, have] = [engines.node, process.versions.node].map(
    (text) => text.match(/\d+/g)?.map(Number) ?? [],
  );
  const [major = 0, minor = 0] = have ?? [];
  const [wantedMajor = 0, wantedMinor = 0] = wanted ?? [];
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) {
    findings.ok("node", `Node.js is ${process.versions.node}.`);
  } else {
    findings.problem("node", `Node.js is ${process.versions.node}.`, `Install one that is ${engines.node}.`);
  }
}

/** Files that the gateway has open beside its clients' connections, and some to spare. */
const ownFiles = 200;

function judgeFiles(findings: Findings, { http, acs }: Config): void {
  const report = process.report.getReport() as unknown as {
    readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } };
  };
  const soft = report.userLimits?.open_files?.soft;
  if (soft === undefined) return;
  const limit = soft === "unlimited" ? Infinity : Number(soft);
  const needed = http.maxConnections + acs.maxSockets + ownFiles;
  const text = `This user may have ${limit === Infinity ? "any number of" : limit} files open`;
  if (limit < needed) {
    findings.warning(
      "files",
      `${text}; MAX_CONNECTIONS and what the gateway needs itself are ${needed}.`,
      "Raise it (ulimit -n, LimitNOFILE), or lower MAX_CONNECTIONS.",
    );
  } else findings.ok("files", `${text}, which is enough.`);
}

function judgeMemory(findings: Findings, { http }: Config): void {
  const constrained = process.constrainedMemory();
  const memory = constrained > 0 && constrained < totalmem() ? constrained : totalmem();
  const heap = getHeapStatistics().heap_size_limit;
  const bodies = http.maxConnections * http.bodyLimitBytes;
  const mib = (bytes: number) => `${Math.round(bytes / 1_048_576)} MiB`;
  const text = `There are ${mib(memory)} of memory, and Node.js takes ${mib(heap)} at most for its heap.`;
  if (heap > memory) {
    findings.warning(
      "memory",
      `${text} The process would be killed before it collects garbage.`,
      "Set NODE_OPTIONS=--max-old-space-size to three quarters of the memory.",
    );
  } else if (bodies > memory) {
    findings.warning(
      "memory",
      `Half-sent bodies can take ${mib(bodies)} of ${mib(memory)} (MAX_CONNECTIONS times BODY_LIMIT_BYTES).`,
      "Lower one of them.",
    );
  } else findings.ok("memory", text);
}

function portCheck({ http }: Config): Check {
  const { host, port, tls } = http;
  const run = async (signal: AbortSignal) => {
    const findings = new Findings("port");
    const reason = await listenReason(host, port);
    const where = `port ${port} of ${host}`;
    if (reason === undefined)
      findings.ok("free", port === 0 ? "Any free port will do." : `The gateway can listen on ${where}.`);
    else if (reason === "EADDRINUSE" && (await isGateway(host, port, tls !== undefined, signal))) {
      findings.ok("free", `A gateway serves on ${where} already.`);
    } else if (reason === "EADDRINUSE") {
      findings.problem("free", `Another program listens on ${where}.`, "End it, or set PORT to another one.");
    } else if (reason === "EACCES") {
      findings.problem("free", `This user may not listen on ${where}.`, "Set PORT to one above 1023.");
    } else {
      findings.problem(
        "free",
        `This machine has no address ${host} (${reason}).`,
        "Set HOST to one of its own, or 0.0.0.0.",
      );
    }
    return findings.all;
  };
  return { part: "port", run };
}

function listenReason(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error) => {
      resolve(reasonOf(error));
    });
    server.listen({ host, port, exclusive: true }, () => {
      server.close(() => {
        resolve(undefined);
      });
    });
  });
}

/** Whether what listens there answers as a gateway does. Over TLS its certificate is for other names than this. */
async function isGateway(host: string, port: number, tls: boolean, signal: AbortSignal): Promise<boolean> {
  if (tls) return false;
  const address =
    host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "[::1]" : host.includes(":") ? `[${host}]` : host;
  try {
    const answer = await fetch(`http://${address}:${port}/health/ready`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(2_000)]),
    });
    const { status, parts } = (await answer.json()) as { status?: unknown; parts?: unknown };
    return typeof status === "string" && typeof parts === "object";
  } catch {
    return false;
  }
}
