/** Makes one command of the questions of one turn of the event loop. */

/** The most questions of one command: it keeps Redis from others for as long as it runs. */
const most = 64;

/** Asks them all: the answer has a value for each key, in their order. */
export type AskMany = (keys: readonly string[], args: readonly string[]) => Promise<readonly unknown[]>;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A command costs a client far more than a key more in it does, so the busier a gateway is the less a question costs. */
export class Batch {
  private keys: string[] = [];
  private args: string[] = [];
  private waiting: Waiting[] = [];
  private turn: NodeJS.Immediate | undefined;

  constructor(private readonly askMany: AskMany) {}

  /** The value for `key`. Rejects as the whole command does. */
  ask(key: string, arg: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.keys.push(key);
      this.args.push(arg);
      this.waiting.push({ resolve, reject });
      if (this.keys.length === most) this.send();
      else this.turn ??= setImmediate(this.send);
    });
  }

  private readonly send = (): void => {
    if (this.turn) clearImmediate(this.turn);
    this.turn = undefined;
    const { keys, args, waiting } = this;
    this.keys = [];
    this.args = [];
    this.waiting = [];
    this.askMany(keys, args).then(
      (values) => {
        for (let index = 0; index < waiting.length; index++) waiting[index]?.resolve(values[index]);
      },
      (error: unknown) => {
        for (const each of waiting) each.reject(error);
      },
    );
  };
}
