/** A short code for whatever goes wrong with Redis. */

/** What ioredis and Redis say in words, and its code. */
const inWords: readonly (readonly [RegExp, string])[] = [
  [/^Command timed out$/, "TIMEOUT"],
  [/Stream isn't writeable|Connection is closed|Cluster isn't ready|max retries per request/, "DISCONNECTED"],
  [/sentinels are unreachable/, "NO_PRIMARY"],
  [/cluster support disabled/, "NOT_A_CLUSTER"],
];

/** A short code for an error of Redis or its socket: `ECONNREFUSED`, `READONLY`, `TIMEOUT`. Never a command's arguments. */
export function reasonOf(error: unknown): string {
  const { code, message, lastNodeError } = (error ?? {}) as {
    code?: unknown;
    message?: unknown;
    /** What the last node of a Cluster had to say. */
    lastNodeError?: unknown;
  };
  if (lastNodeError) return reasonOf(lastNodeError);
  if (typeof code === "string") return code;
  if (typeof message !== "string") return "UNKNOWN";
  const known = inWords.find(([words]) => words.test(message));
  return known?.[1] ?? /^-?([A-Z]{2,40})\b/.exec(message)?.[1] ?? "UNKNOWN";
}
