/** ACS's error answers, with the codes, texts and targets that were recorded. */

/** Thrown by operations; the router writes it as `{"error":{code,message,target?}}`. */
export class RestError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly target?: string,
    readonly headers: Readonly<Record<string, string>> = {},
    /** Refused before ACS's controller saw the request: such answers lack `api-supported-versions`. */
    readonly early = false,
  ) {
    super(message);
  }

  /** The answer's body. */
  get body(): string {
    const { code, message, target } = this;
    return JSON.stringify({ error: target === undefined ? { code, message } : { code, message, target } });
  }
}

/** 400 `ValidationError`. */
export function invalid(message: string, target: string): RestError {
  return new RestError(400, "ValidationError", message, target);
}

/** 400 `ValidationError` for a body that cannot be bound to the operation's parameters. */
export function unbound(message: string, target: string): RestError {
  return new RestError(400, "ValidationError", message, target, {}, true);
}

/** 401 for a signature, a key or a bearer token that is not right. ACS does not say what is wrong. */
export function denied(headers: Readonly<Record<string, string>> = {}): RestError {
  return new RestError(401, "Denied", "Denied by the resource provider.", undefined, headers, true);
}

/** 401 for an identity of another resource, and for an id that is none. */
export function notOwned(): RestError {
  return new RestError(401, "IdentityNotOwned", "Provided identity doesn't belong to the resource.");
}
