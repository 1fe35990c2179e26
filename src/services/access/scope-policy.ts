/** Which scopes a caller may be given: a scope that includes another allows that one too. */
import type { TokenScope } from "../tokens/token-scope";

/** ACS's scopes and those that are part of them (see `token-scope.ts`). */
const partsOf: Readonly<Record<TokenScope, readonly TokenScope[]>> = {
  chat: ["chat", "chat.join", "chat.join.limited"],
  "chat.join": ["chat.join", "chat.join.limited"],
  "chat.join.limited": ["chat.join.limited"],
  voip: ["voip", "voip.join"],
  "voip.join": ["voip.join"],
};

/** The most that somebody who only joins what others have begun needs. */
export const guestScopes: readonly TokenScope[] = ["chat.join.limited", "voip.join"];

/** `allowed` and everything that is part of it. */
export function withParts(allowed: readonly TokenScope[]): ReadonlySet<TokenScope> {
  return new Set(allowed.flatMap((scope) => partsOf[scope]));
}
