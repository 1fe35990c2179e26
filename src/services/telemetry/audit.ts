/** The audit: one line for each thing that was done, or refused, to an identity or a token. No parameter fits a token. */
import { GroupedLines } from "./grouped-lines";
import { LineText, type Actor } from "./line-text";
import { fileDestination, type DestinationStream } from "./logger";
import { scrub } from "./scrub";
import type { ErrorCode } from "../../errors";
import { isIdentityId } from "../identities/identity-id";
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
  /** Whose token or identity it was; undefined when it never came to that. What is no identity's id is not entered. */
  readonly identityId?: string | undefined;
  readonly device?: string | undefined;
  readonly scopes?: readonly TokenScope[] | undefined;
  readonly lifetimeMinutes?: number | undefined;
  /** Whether a token came from Azure or from the cache. */
  readonly source?: "issued" | "cache" | undefined;
  /** The Teams user that a token was exchanged for. What is no GUID is not entered. */
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

/** As Entra writes the ids of its users. */
const guid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

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
    // Actions, outcomes, ids, scopes, sources, addresses and traces are of a form in which there is nothing to escape or to hide.
    const { action, outcome, caller, identityId, device, scopes, lifetimeMinutes, source } = record;
    const { userObjectId, change, address, requestId, traceId } = record;
    const { text } = this;
    let line = `{"audit":1,"time":"${this.lines.now()}","action":"${action}","outcome":"${outcome}"`;
    if (caller) line += `,"caller":${text.ofActor(caller)}`;
    if (identityId !== undefined && isIdentityId(identityId)) line += `,"identityId":"${identityId}"`;
    if (device !== undefined) line += `,"device":${text.of(device)}`;
    // A client may send one scope any number of times.
    if (scopes) line += `,"scopes":${JSON.stringify([...new Set(scopes)])}`;
    if (lifetimeMinutes !== undefined) line += `,"lifetimeMinutes":${lifetimeMinutes}`;
    if (source !== undefined) line += `,"source":"${source}"`;
    if (userObjectId !== undefined && guid.test(userObjectId)) line += `,"userObjectId":"${userObjectId}"`;
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
