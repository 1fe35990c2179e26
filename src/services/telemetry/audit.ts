/** The audit: one line for each thing that was done, or refused, to an identity or a token. No parameter fits a token. */
import { GroupedLines } from "./grouped-lines";
import { LineText, type Actor } from "./line-text";
import { LineDestination, type DestinationStream } from "./line-destination";
import { scrub } from "./scrub";
import { auditUnavailable, type ErrorCode } from "../../errors";
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
  /** Why nothing can be written (`ENOSPC`, `EPIPE` …); undefined: it can. Tries again first. */
  failure(): string | undefined;
}

/** Throws `AUDIT_UNAVAILABLE` while the audit cannot be written. */
export function mustBeWritable(audit: Audit): void {
  if (audit.failure() !== undefined) throw auditUnavailable();
}

/** Where the audit goes. */
export type AuditDestination = "stdout" | "stderr" | "off" | { readonly file: string };

/**
 * An audit that writes JSON lines, in the order of the events.
 * @param shared the stream to take if the destination has one already
 * @param onFailure told once, with the system's code, when a stream of its own cannot be written any more
 */
export function createAudit(
  to: AuditDestination,
  clock: Clock,
  shared?: DestinationStream,
  onFailure?: (code: string) => void,
): Audit {
  if (shared) return new AuditLog(shared, clock);
  if (to === "off") return noAudit;
  const fd = to === "stdout" ? 1 : 2;
  return new AuditLog(new LineDestination(typeof to === "string" ? fd : to.file, onFailure), clock);
}

const noAudit: Audit = { record: () => undefined, flush: () => undefined, failure: () => undefined };

/** As Entra writes the ids of its users. */
const guid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** Refusals of a caller at a limit share a line for so long, in milliseconds. */
const limitedMs = 60_000;
/** So many callers do; those of more have a line each. */
const maxLimited = 10_000;

/** Its lines are put together by hand: `JSON.stringify`, and a search of the whole line for secrets, cost twice as much. */
class AuditLog implements Audit {
  private readonly lines: GroupedLines;
  private readonly text = new LineText(scrub);
  private readonly limited = new Map<string, { last: AuditRecord; leftOut: number }>();

  constructor(stream: DestinationStream, clock: Clock) {
    this.lines = new GroupedLines(stream, clock);
  }

  failure(): string | undefined {
    return this.lines.failure();
  }

  record(record: AuditRecord): void {
    if (record.outcome !== "RATE_LIMITED" || this.isFirst(record)) this.lines.add(this.lineOf(record));
  }

  flush(): void {
    this.lines.flush();
  }

  /** A caller at a limit fills no disk: of the refusals that follow within a minute, the last has a line, which counts all. */
  private isFirst(record: AuditRecord): boolean {
    const { action, caller } = record;
    const key = JSON.stringify([action, caller?.kind, caller?.user?.issuer, caller?.name]);
    const known = this.limited.get(key);
    if (known) {
      known.last = record;
      known.leftOut++;
    } else if (this.limited.size < maxLimited) {
      const since = { last: record, leftOut: 0 };
      this.limited.set(key, since);
      setTimeout(() => {
        this.limited.delete(key);
        if (since.leftOut > 0) this.lines.add(this.lineOf(since.last, since.leftOut));
      }, limitedMs).unref();
    }
    return known === undefined;
  }

  private lineOf(record: AuditRecord, times = 1): string {
    // Actions, outcomes, ids, scopes, sources, addresses and traces are of a form in which there is nothing to escape or to hide.
    const { action, outcome, caller, identityId, device, scopes, lifetimeMinutes, source } = record;
    const { userObjectId, change, address, requestId, traceId } = record;
    const { text } = this;
    let line = `{"audit":1,"time":"${this.lines.now()}","action":"${action}","outcome":"${outcome}"`;
    if (times > 1) line += `,"times":${times}`;
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
