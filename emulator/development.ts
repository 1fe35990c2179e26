/** The resource that an emulator has when nothing else is said. Published, so it protects nothing. */

/** The immutable id of the development resource. */
export const developmentResourceId = "0e0ac5e0-0000-4000-8000-00000000ac5e";

/** The well-known primary access key. */
export const developmentAccessKey = Buffer.from(
  "acs-identity-emulator: a published development key, not a secret",
).toString("base64");

/** The well-known secondary access key. */
export const developmentSecondaryKey = Buffer.from(
  "acs-identity-emulator: a published secondary key, not a secret..",
).toString("base64");
