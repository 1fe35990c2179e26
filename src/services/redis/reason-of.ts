/** A short code for whatever goes wrong with Redis. */

/** A short code for an error of Redis or its socket: `ECONNREFUSED`, `READONLY`, `TIMEOUT`. Never a command's arguments. */
export function reasonOf(error: unknown): string {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === "string") return code;
  if (typeof message !== "string") return "UNKNOWN";
  if (message === "Command timed out") return "TIMEOUT";
  if (/Stream isn't writeable|Connection is closed|Cluster isn't ready|max retries per request/.test(message)) return "DISCONNECTED";
  return /^-?([A-Z]{2,})\b/.exec(message)?.[1] ?? "UNKNOWN";
}
