/** Who is calling: plain data, no I/O. */

/** A caller whose credential was verified. */
export interface Caller {
  /** How it presented itself: a service with an API key. */
  readonly kind: "service";
  /** The name that the operator gave its key. */
  readonly name: string;
}
