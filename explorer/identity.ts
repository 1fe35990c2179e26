/** Remembers, until the page is left, the identity that an answer named last, to be filled into later operations. */

let last: string | undefined;
const listeners = new Set<() => void>();

/** The identity named last, if any. */
export function lastIdentity(): string | undefined {
  return last;
}

/** Calls `listener` each time {@link lastIdentity} changes, until the function that it returns is called. */
export function onIdentity(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Looks for an identity in an answer. Nothing else of the answer is kept. */
export function noteIdentity(answer: unknown): void {
  const { data } = answer as { data?: Record<string, unknown> | null };
  for (const field of Object.values(data ?? {})) {
    const { identity, deletedId } = (field ?? {}) as {
      identity?: { id?: unknown } | null;
      deletedId?: unknown;
    };
    if (typeof identity?.id === "string") last = identity.id;
    if (deletedId !== undefined && deletedId === last) last = undefined;
  }
  for (const listener of listeners) listener();
}

/**
 * The variables with `identity` filled in, or undefined when there is nothing to fill in: only an empty `identityId`
 * or the one filled in before is touched, never one that was typed.
 * @param before the identity that was filled into these variables before.
 */
export function fillIn(
  variables: string,
  identity: string | undefined,
  before: string | undefined,
): string | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(variables);
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null || !("identityId" in parsed)) return undefined;
  const { identityId } = parsed;
  if (identityId !== "" && identityId !== before) return undefined;
  if (identityId === (identity ?? "")) return undefined;
  return JSON.stringify({ ...parsed, identityId: identity ?? "" }, null, 2);
}
