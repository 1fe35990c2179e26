/** Who may call what; throws the gateway's own errors. */
import type { AuthCheckerFn } from "type-graphql";
import { badInput, GatewayError } from "../errors";
import type { Caller } from "../services/access/caller";
import type { Right } from "../services/access/rights";
import { tokenScopes, type TokenScope } from "../services/tokens/token-scope";
import type { Access } from "./access";
import type { RequestContext } from "./context";

/** type-graphql asks this for every field with `@Allow`. It throws, because `false` would lose our codes. */
export const accessRules: AuthCheckerFn<RequestContext, Access> = ({ context }, [access]) => {
  const caller = callerOf(context);
  if (!access || (access.own && caller.user) || access.any === undefined) return true;
  if (!caller.rights.has(access.any) && access.action) context.refused(access.action);
  checkRight(caller, access.any);
  return true;
};

/** The caller. Throws `UNAUTHENTICATED` when no credential was sent. */
export function callerOf({ caller }: RequestContext): Caller {
  if (caller) return caller;
  throw new GatewayError(
    "UNAUTHENTICATED",
    "Send an access token in the header Authorization: Bearer <token>, or an API key in the header x-api-key.",
  );
}

/** Root fields that anybody may ask for: type names and, where it is open, the schema. */
const openFields: ReadonlySet<string> = new Set(["introspection", "_service"]);

/** Whether an operation with this label needs a caller: then it is refused before its variables are looked at. */
export function needsCaller(field: string): boolean {
  return !openFields.has(field);
}

/** Throws `FORBIDDEN` unless the caller has the right. */
export function checkRight(caller: Caller, right: Right): void {
  if (caller.rights.has(right)) return;
  throw new GatewayError("FORBIDDEN", `This needs the right ${right}, which this caller does not have.`);
}

/** The schema's text lays a gateway in production open, and is of use to those who compose it. */
export function mayReadSchema(context: RequestContext): void {
  checkRight(callerOf(context), "schema:read");
}

/** Metrics tell how much an app is used, and the level of the log how much is told. */
export function mayOperate(context: RequestContext): void {
  const caller = callerOf(context);
  if (!caller.rights.has("gateway:operate")) context.refused("gateway.operate");
  checkRight(caller, "gateway:operate");
}

/** Throws `FORBIDDEN` unless the caller may have tokens with all of these scopes. */
export function checkScopes(caller: Caller, scopes: readonly TokenScope[]): void {
  if (scopes.every((scope) => caller.scopes.has(scope))) return;
  const allowed = tokenScopes.filter((scope) => caller.scopes.has(scope)).map(nameInSchema);
  throw new GatewayError(
    "FORBIDDEN",
    `This caller may have tokens with the scopes ${allowed.join(", ")}, and no others.`,
    { argument: "input.scopes" },
  );
}

/** The same answer whether the identity is somebody else's or nobody's, so that nobody can find out which. */
export function notYours(right: Right): GatewayError {
  return new GatewayError(
    "FORBIDDEN",
    `This is not your identity. Leave identityId out for your own; the right ${right} would allow any.`,
  );
}

/** Throws `BAD_USER_INPUT` unless the label has 1 to 64 letters, digits, dots, dashes, underscores or spaces. */
export function checkDevice(device: string, argument: string): string {
  if (/^[\p{L}\p{N}._-][\p{L}\p{N}._ -]{0,63}$/u.test(device)) return device;
  throw badInput(
    argument,
    "device is a label of 1 to 64 letters, digits, dots, dashes, underscores and spaces, such as phone.",
  );
}

function nameInSchema(scope: TokenScope): string {
  return scope.toUpperCase().replaceAll(".", "_");
}
