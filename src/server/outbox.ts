/** Sends answers that are ready at one time together, after what has to be done before any of them. */
export class Outbox {
  #waiting: { readonly send: () => void; readonly failed: (error: unknown) => void }[] = [];

  /** @param before what must be on record before an answer is sent: it is done once for all that go together. */
  constructor(private readonly before: () => void) {}

  /**
   * Calls `send` when everything that follows from the same event has been done, before the next one: what came with
   * one answer of Redis leaves together. Answers leave in the order in which they came. `failed` is told when one cannot
   be sent, which is nothing to the others.
   */
  put(send: () => void, failed: (error: unknown) => void): void {
    if (this.#waiting.push({ send, failed }) === 1) process.nextTick(this.#sendAll);
  }

  readonly #sendAll = (): void => {
    const all = this.#waiting;
    this.#waiting = [];
    this.before();
    for (const { send, failed } of all) {
      try {
        send();
      } catch (error) {
        failed(error);
      }
    }
  };
}
