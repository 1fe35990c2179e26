/** The audit: one line for each thing that was done, or refused, to an identity or a token. No parameter fits a token. */
import { GroupedLines } from "./grouped-lines";
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

/** Who did it. */
export interface Actor {
  readonly kind: "service" | "user" | "guest" | "gateway";
  /** The name of an API key, or a user's subject. */
  readonly name: string;
  /** A user's issuer. */
  readonly issuer?: string;
}

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

class AuditLog implements Audit {
  private readonly lines: GroupedLines;

  constructor(stream: DestinationStream, clock: Clock) {
    this.lines = new GroupedLines(stream, clock);
  }

  record(record: AuditRecord): void {
    const { lines } = this;
    lines.add(scrub(`{"audit":1,"time":"${lines.now()}",${JSON.stringify(record).slice(1)}\n`));
  }

  flush(): void {
    this.lines.flush();
  }
}

function destinationOf(to: AuditDestination): DestinationStream | undefined {
  if (to === "off") return undefined;
  return fileDestination(to === "stdout" ? 1 : to === "stderr" ? 2 : to.file);
}
