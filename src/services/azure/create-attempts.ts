/** What one create has tried so far, where there are several resources that could make the identity. */

/** Belongs to whoever wants the identity, for all calls of one create; the provider writes it. */
export class CreateAttempts {
  /** Resources that are not asked again: they may have made something, or have refused for good. */
  readonly over = new Set<string>();
  /** Whether another resource could be asked, should this one keep its answer to itself or have none. */
  more = false;
  /** The resource that has not answered yet. */
  asking: string | undefined;
  /** How many calls there were. */
  calls = 0;
  /** When the last turn may come, on `performance.now()`'s scale. */
  turnEnd = Infinity;
}
