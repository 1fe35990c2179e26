/** Closes what was opened, in reverse, whatever happens on the way. */

/** What the composition root has opened so far. */
export class ClosingList implements AsyncDisposable {
  private readonly parts: AsyncDisposable[] = [];

  /** Remembers `part` and hands it back. */
  add<T extends AsyncDisposable>(part: T): T {
    this.parts.push(part);
    return part;
  }

  /** Closes all parts in reverse; the first failure is thrown after the last part is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (const part of this.parts.splice(0).reverse()) {
      try {
        await part[Symbol.asyncDispose]();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
