/** One line of the log for each request that was answered. No parameter fits a token, a body or a header. */
import type { Clock } from "../clock";
import { GroupedLines } from "./grouped-lines";
import type { DestinationStream, Logger } from "./logger";

/** A request that is answered. */
export interface RequestRecord {
  /** The request's id, which its answer carries. */
  readonly id: string;
  readonly method: string;
  /** The path as it was sent: a stranger's text. */
  readonly path: string;
  /** The field of the schema that it asked for, `several` or `introspection`; undefined when it was no valid operation. */
  readonly operation: string | undefined;
  /** What the client calls the operation. */
  readonly operationName: string | undefined;
  /** `ok`, or the code of the first error that was answered with. */
  readonly outcome: string;
  /** 0 when the client had gone before it could be answered. */
  readonly status: number;
  readonly durationMs: number;
  /** Who asked, as the audit names him; undefined when nobody knows, or it never came to that. */
  readonly caller: RequestCaller | undefined;
  readonly address: string;
  /** Of the answer's body; undefined for streams and pages. */
  readonly bytes: number | undefined;
  /** Of the trace that the request is part of, if there is one. */
  readonly traceId?: string | undefined;
}

/** Who asked. */
export interface RequestCaller {
  readonly kind: string;
  /** The name of an API key, or a user's subject. */
  readonly name: string;
  readonly user: { readonly issuer: string } | undefined;
}

/** Which requests have a line. */
export const loggedRequests = ["all", "errors", "off"] as const;
/** One of {@link loggedRequests}. */
export type LoggedRequests = (typeof loggedRequests)[number];

/** The longest path that is logged, and the longest segment of one: what is longer is no path of ours, and may be a key. */
const [maxPath, maxSegment] = [80, 24];
/** The longest name of an operation. */
const maxName = 64;
/** A key as `new-key` makes them, in an id that a client has chosen. */
const keyLike = /(?<![\w-])[\w-]{43}(?![\w-])/g;
/** An id of our own, and of most clients. */
const uuid = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;

/**
 * Lines that come together are written together, before the answers that they tell of leave: to write costs more than
 * all else there is to a line. They are put together by hand for the same reason, and look as the log's others do.
 *
 * What a stranger has chosen is cleaned before it comes into a line, so that the whole line need not be searched; what
 * is the same again and again is cleaned once.
 */
export class RequestLog {
  private readonly lines: GroupedLines;
  private name = { sent: "", text: "" };
  /** Callers live as long as their credentials are known. */
  private readonly callers = new WeakMap<RequestCaller, string>();

  constructor(
    private readonly which: LoggedRequests,
    private readonly log: Pick<Logger, "isLevelEnabled">,
    /** The log's own, for a descriptor must have one only. */
    stream: DestinationStream,
    /** Takes what is secret out of a text. */
    private readonly clean: (text: string) => string,
    clock: Clock,
  ) {
    this.lines = new GroupedLines(stream, clock);
  }

  /** Whether such a request is to have a line: to be asked first, so that what has none costs nothing. */
  wants(outcome: string, path: string): boolean {
    const { which } = this;
    if (which === "off" || (which === "errors" && outcome === "ok")) return false;
    return this.log.isLevelEnabled(levelOf(path));
  }

  record(request: RequestRecord): void {
    this.lines.add(this.lineOf(request));
  }

  /** Writes what was recorded. */
  flush(): void {
    this.lines.flush();
  }

  private lineOf(request: RequestRecord): string {
    // Methods, operations, outcomes, addresses and traces are of a form in which there is nothing to escape or to hide.
    const { id, method, path, operation, operationName, outcome, status, durationMs } = request;
    const { caller, address, bytes, traceId } = request;
    const trace = traceId === undefined ? "" : `,"traceId":"${traceId}"`;
    const route = path === "/graphql" ? '"/graphql"' : JSON.stringify(this.clean(cleanPath(path)));
    const asked = operation === undefined ? "" : `,"operation":"${operation}"`;
    const named = operationName === undefined ? "" : this.nameText(operationName);
    const who = caller === undefined ? "" : this.callerText(caller);
    const size = bytes === undefined ? "" : `,"bytes":${bytes}`;
    return `{"level":"${levelOf(path)}","time":"${this.lines.now()}","requestId":"${this.idText(id)}"${trace},"method":"${method}","path":${route}${asked}${named},"outcome":"${outcome}","status":${status},"durationMs":${Math.round(durationMs * 100) / 100}${who},"address":"${address}"${size},"msg":"request"}\n`;
  }

  /** Ids are of letters, digits and some signs, none of which JSON escapes. */
  private idText(id: string): string {
    return uuid.test(id) ? id : this.clean(id).replace(keyLike, "[key]");
  }

  private nameText(sent: string): string {
    if (this.name.sent !== sent) {
      this.name = { sent, text: `,"operationName":"${this.clean(sent.slice(0, maxName))}"` };
    }
    return this.name.text;
  }

  private callerText(caller: RequestCaller): string {
    let text = this.callers.get(caller);
    if (text === undefined) {
      const { kind, name, user } = caller;
      text = `,"caller":${this.clean(JSON.stringify({ kind, name, issuer: user?.issuer }))}`;
      this.callers.set(caller, text);
    }
    return text;
  }
}

/** Probes and scrapes come every few seconds, and tell nobody anything. */
function levelOf(path: string): "debug" | "info" {
  return path.startsWith("/health/") || path === "/metrics" ? "debug" : "info";
}

/** Printable ASCII, and short: a stranger has chosen it, and a terminal may show it. */
export function cleanPath(path: string): string {
  const short = path
    .slice(0, maxPath * 4)
    .split("/")
    .map((segment) => (segment.length > maxSegment ? "…" : segment))
    .join("/")
    .slice(0, maxPath);
  return short.replace(/[^\x21-\x7e…]/g, "?");
}
