/** The audit: one line for each thing that was done, or refused, to an identity or a token. No parameter fits a token. */
import { GroupedLines } from "./grouped-lines";
import { LineText, type Actor } from "./line-text";
import { fileDestination, type DestinationStream } from "./logger";
import { scrub } from "./scrub";
import type { ErrorCode } from "../../errors";
import type { Clock } from "../clock";
import type { TokenScope } from "../tokens/token-scope";

/** What is audited. */
export type AuditedAction =
  | "caller.authenticate"
  | "gateway.operate"
  | "identity.create"
  | "identity.delete"
  | "identity.expire"
  | "token.issue"
  | "token.revoke"
  | "token.exchange";

/** One thing that was done or refused. */
export interface AuditRecord {
  readonly action: AuditedAction;
  /** `ok`, or the code of the error that the caller got. */
  readonly outcome: "ok" | ErrorCode;
  /** Undefined: nobody knows who it was. */
  readonly caller: Actor | undefined;
  /** Whose token or identity it was; undefined when it never came to that. */
  readonly identityId?: string | undefined;
  readonly device?: string | undefined;
  readonly scopes?: readonly TokenScope[] | undefined;
  readonly lifetimeMinutes?: number | undefined;
  /** Whether a token came from Azure or from the cache. */
  readonly source?: "issued" | "cache" | undefined;
  /** The Teams user that a token was exchanged for. */
  readonly userObjectId?: string | undefined;
  /** What an operator has changed, in a few words. */
  readonly change?: string | undefined;
  /** The client's address. */
  readonly address?: string | undefined;
  readonly requestId?: string | undefined;
  /** The trace of the request, if it is sampled. */
  readonly traceId?: string | undefined;
}

/** Takes records. */
export interface Audit {
  record(record: AuditRecord): void;
  /** Writes what was recorded. An answer must not be sent before what it tells of is written. */
  flush(): void;
}

/** Where the audit goes. */
export type AuditDestination = "stdout" | "stderr" | "off" | { readonly file: string };

/** An audit that writes JSON lines, in the order of the events. */
export function createAudit(
  to: AuditDestination,
  clock: Clock,
  stream: DestinationStream | undefined = destinationOf(to),
): Audit {
  return stream ? new AuditLog(stream, clock) : { record: () => undefined, flush: () => undefined };
}

/** Its lines are put together by hand: `JSON.stringify`, and a search of the whole line for secrets, cost twice as much. */
class AuditLog implements Audit {
  private readonly lines: GroupedLines;
  private readonly text = new LineText(scrub);

  constructor(stream: DestinationStream, clock: Clock) {
    this.lines = new GroupedLines(stream, clock);
  }

  record(record: AuditRecord): void {
    this.lines.add(this.lineOf(record));
  }

  flush(): void {
    this.lines.flush();
  }

  private lineOf(record: AuditRecord): string {
    // Actions, outcomes, scopes, sources, addresses and traces are of a form in which there is nothing to escape or to hide.
    const { action, outcome, caller, identityId, device, scopes, lifetimeMinutes, source } = record;
    const { userObjectId, change, address, requestId, traceId } = record;
    const { text } = this;
    let line = `{"audit":1,"time":"${this.lines.now()}","action":"${action}","outcome":"${outcome}"`;
    if (caller) line += `,"caller":${text.ofActor(caller)}`;
    if (identityId !== undefined) line += `,"identityId":${text.ofIdentityId(identityId)}`;
    if (device !== undefined) line += `,"device":${text.of(device)}`;
    if (scopes) line += `,"scopes":${scopes.length === 0 ? "[]" : `["${scopes.join('","')}"]`}`;
    if (lifetimeMinutes !== undefined) line += `,"lifetimeMinutes":${lifetimeMinutes}`;
    if (source !== undefined) line += `,"source":"${source}"`;
    if (userObjectId !== undefined) line += `,"userObjectId":${text.of(userObjectId)}`;
    if (change !== undefined) line += `,"change":${text.of(change)}`;
    if (address !== undefined) line += `,"address":"${address}"`;
    if (requestId !== undefined) line += `,"requestId":${text.ofRequestId(requestId)}`;
    if (traceId !== undefined) line += `,"traceId":"${traceId}"`;
    return `${line}}\n`;
  }
}

function destinationOf(to: AuditDestination): DestinationStream | undefined {
  if (to === "off") return undefined;
  return fileDestination(to === "stdout" ? 1 : to === "stderr" ? 2 : to.file);
}
