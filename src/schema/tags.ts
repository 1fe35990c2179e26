/** The tag by which a contract or a filter leaves out of a public supergraph what only services use. */

/** For `@Directive`: operations that no user may call, and the types that nothing else uses. */
export const forServices = '@tag(name: "service")';
