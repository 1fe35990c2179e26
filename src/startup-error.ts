/** What an operator can mend. */

/** Something that the operator can mend; the message says how, and no stack is needed. */
export class StartupError extends Error {
  override readonly name = "StartupError";
}
