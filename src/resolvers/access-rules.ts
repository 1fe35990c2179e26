/** Who may call what; throws the gateway's own errors. */
import type { AuthCheckerFn } from "type-graphql";
import { badInput, GatewayError } from "../errors";
import type { RequestContext } from "./request-context";

/** type-graphql asks this for every field that is `@Authorized()`. It throws, because `false` would lose our codes. */
export const accessRules: AuthCheckerFn<RequestContext> = ({ context }) => {
  if (!context.caller) {
    throw new GatewayError("UNAUTHENTICATED", "Send your API key in the header x-api-key.");
  }
  return true;
};

/** Throws unless the caller is a service: for what lays the gateway open and is of no use to users. */
export function servicesOnly({ caller }: Pick<RequestContext, "caller">): void {
  if (caller?.kind === "service") return;
  throw caller
    ? new GatewayError("FORBIDDEN", "Only services may do this.")
    : new GatewayError("UNAUTHENTICATED", "Send your API key in the header x-api-key.");
}

/** The identity that an operation is about. Services have none of their own, so they must name it. */
export function actingOn(identityId: string | null | undefined): string {
  if (identityId === undefined || identityId === null) {
    throw badInput("input.identityId", "identityId is required: no identity is bound to an API key.");
  }
  return identityId;
}
