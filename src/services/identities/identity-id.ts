/** The form of an ACS identity's id, and the resource that it belongs to. */
import { badInput } from "../../errors";

/**
 * `8:acs:<resource guid>_<user part>`, with `dod-acs` and `gcch-acs` for the sovereign clouds. The user part is not a
 * GUID: old identities have shorter ones, Teams extension users have two.
 */
const pattern =
  /^8:(?:acs|dod-acs|gcch-acs):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_[0-9A-Za-z_-]{1,120}$/;

/** Whether `id` has the form of an ACS identity's id. */
export function isIdentityId(id: string): boolean {
  return pattern.test(id);
}

/** The resource's immutable id (a GUID) inside an identity's id. */
export function resourceOf(identityId: string): string | undefined {
  return pattern.exec(identityId)?.[1];
}

/**
 * What stands in the resource's place in `id`, without a look at the rest: quick enough for every token that is served.
 * Good to find a resource with, not to say that the id is one.
 */
export function resourcePart(id: string): string {
  // After the second colon; no prefix has its first one later.
  const start = id.indexOf(":", 2) + 1;
  return id.slice(start, start + 36);
}

/** Throws `BAD_USER_INPUT` unless `id` has the form of an ACS identity's id. */
export function checkIdentityId(id: string, argument: string): string {
  if (!isIdentityId(id)) {
    throw badInput(
      argument,
      `${argument.split(".").at(-1) ?? argument} must be an ACS identity's id such as 8:acs:<resource id>_<user id>.`,
    );
  }
  return id;
}
