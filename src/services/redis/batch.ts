/** Makes one command of the questions of one turn of the event loop. */

/** The most questions of one command: it keeps Redis from others for as long as it runs. */
const most = 64;

/** Asks them all: the answer has a value for each key, in their order. */
export type AskMany = (keys: readonly string[], args: readonly string[]) => Promise<readonly unknown[]>;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** For how long one command keeps those that come meanwhile from being sent, in milliseconds: many round trips of one that is near. */
const holdMs = 5;

/**
 * A command costs a client far more than a key more in it does. So what is asked in one turn goes together, and so
 * does what is asked while a command is under way: the busier a gateway is, the less a question costs it. Redis answers
 * one command after the other anyway; of one that is slow nobody waits for the end.
 */
export class Batch {
  private keys: string[] = [];
  private args: string[] = [];
  private waiting: Waiting[] = [];
  private turn: NodeJS.Immediate | undefined;
  private hold: NodeJS.Timeout | undefined;
  /** Commands without an answer. */
  private underWay = 0;

  constructor(private readonly askMany: AskMany) {}

  /** The value for `key`. Rejects as the whole command does. */
  ask(key: string, arg: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.keys.push(key);
      this.args.push(arg);
      this.waiting.push({ resolve, reject });
      if (this.keys.length === most) this.send();
      else if (this.underWay === 0) this.sendSoon();
      else this.hold ??= setTimeout(this.send, holdMs);
    });
  }

  private sendSoon(): void {
    this.turn ??= setImmediate(this.send);
  }

  private readonly send = (): void => {
    clearImmediate(this.turn);
    clearTimeout(this.hold);
    this.turn = this.hold = undefined;
    const { keys, args, waiting } = this;
    this.keys = [];
    this.args = [];
    this.waiting = [];
    this.underWay += 1;
    this.askMany(keys, args).then(
      (values) => {
        this.answered();
        for (let index = 0; index < waiting.length; index++) waiting[index]?.resolve(values[index]);
      },
      (error: unknown) => {
        this.answered();
        for (const each of waiting) each.reject(error);
      },
    );
  };

  private answered(): void {
    this.underWay -= 1;
    if (this.keys.length > 0) this.sendSoon();
  }
}
