/** The api-versions of ACS Identity that are answered, and the refusal of all others. */
import { RestError } from "./rest-error";

/** Stable ones up to the one that the emulator plays. */
export const apiVersions = [
  "2021-03-07",
  "2021-11-01",
  "2022-06-01",
  "2022-10-01",
  "2023-08-01",
  "2023-10-01",
] as const;

/** Those that had the exchange of Teams tokens. */
const teamsSince = "2022-06-01";

/** The versions of an operation, for the header `api-supported-versions`. */
export function versionsOf(operation: string): readonly string[] {
  return operation === "exchangeTeamsToken"
    ? apiVersions.filter((version) => version >= teamsSince)
    : apiVersions;
}

/**
 * The version in a query string, of a request to `resource` (the URI without its query). Throws 400
 * `UnsupportedApiVersion`, or `ApiVersionUnspecified` (never recorded) for none.
 */
export function checkedVersion(operation: string, resource: string, query: string): string {
  const version = new URLSearchParams(query).get("api-version");
  if (version === null || version === "") {
    throw new RestError(400, "ApiVersionUnspecified", "An API version is required, but was not specified.");
  }
  if (!versionsOf(operation).includes(version)) {
    throw new RestError(
      400,
      "UnsupportedApiVersion",
      `The HTTP resource that matches the request URI '${resource}' does not support the API version '${version}'.`,
    );
  }
  return version;
}
