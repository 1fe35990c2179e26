/** What only graphql-js can run. */

/** An operation has something that is not worth compiling, or cannot be. Nobody is told: Apollo Server runs it. */
export class NotCompilable extends Error {
  override readonly name = "NotCompilable";
}
