/** One line of the log for each request that was answered. No parameter fits a token, a body or a header. */
import type { Clock } from "../clock";
import { GroupedLines } from "./grouped-lines";
import { LineText, type Actor } from "./line-text";
import type { DestinationStream } from "./line-destination";
import type { Logger } from "./logger";

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
  readonly caller: Actor | undefined;
  readonly address: string;
  /** Of the answer's body; undefined for streams and pages. */
  readonly bytes: number | undefined;
  /** Of the trace that the request is part of, if there is one. */
  readonly traceId?: string | undefined;
}

/** Which requests have a line. */
export const loggedRequests = ["all", "errors", "off"] as const;
/** One of {@link loggedRequests}. */
export type LoggedRequests = (typeof loggedRequests)[number];

/** The longest path that is logged, and the longest segment of one: what is longer is no path of ours, and may be a key. */
const [maxPath, maxSegment] = [80, 24];
/** The longest name of an operation. */
const maxName = 64;
/**
 * Lines that come together are written together, before the answers that they tell of leave: to write costs more than
 * all else there is to a line. They are put together by hand for the same reason, and look as the log's others do.
 */
export class RequestLog {
  private readonly lines: GroupedLines;
  private name = { sent: "", text: "" };
  private readonly text: LineText;

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
    this.text = new LineText(clean);
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
    const route = path === "/graphql" ? '"/graphql"' : this.text.of(cleanPath(path));
    const asked = operation === undefined ? "" : `,"operation":"${operation}"`;
    const named = operationName === undefined ? "" : this.nameText(operationName);
    const who = caller === undefined ? "" : `,"caller":${this.text.ofActor(caller)}`;
    const size = bytes === undefined ? "" : `,"bytes":${bytes}`;
    return `{"level":"${levelOf(path)}","time":"${this.lines.now()}","requestId":${this.text.ofRequestId(id)}${trace},"method":"${method}","path":${route}${asked}${named},"outcome":"${outcome}","status":${status},"durationMs":${Math.round(durationMs * 100) / 100}${who},"address":"${address}"${size},"msg":"request"}\n`;
  }

  private nameText(sent: string): string {
    if (this.name.sent !== sent) {
      this.name = { sent, text: `,"operationName":"${this.clean(sent.slice(0, maxName))}"` };
    }
    return this.name.text;
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
