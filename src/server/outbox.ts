/** Sends the answers of one turn of the event loop together, after what has to be done before any of them. */
export class Outbox {
  #waiting: (() => void)[] = [];
  #turn: NodeJS.Immediate | undefined;

  /** @param before what must be on record before an answer is sent: it is done once for all that go together. */
  constructor(private readonly before: () => void) {}

  /** Calls `send` before the next turn. Answers leave in the order in which they came. */
  put(send: () => void): void {
    this.#waiting.push(send);
    this.#turn ??= setImmediate(this.#sendAll);
  }

  readonly #sendAll = (): void => {
    const all = this.#waiting;
    this.#waiting = [];
    this.#turn = undefined;
    this.before();
    for (const send of all) send();
  };
}
