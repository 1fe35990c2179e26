/** What an operator can mend. */

/** Something that the operator can mend before a start can succeed; the message says how, and no stack is needed. */
export class StartupError extends Error {
  override readonly name: string = "StartupError";
}
