/** Makes one command of the questions of one turn of the event loop. */
import type { Span, SpanOptions } from "../telemetry/span";

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
  /** Of those who ask and are traced; nearly always there are none. */
  private spans: Span[] | undefined;
  private turn: NodeJS.Immediate | undefined;
  private hold: NodeJS.Timeout | undefined;
  /** Commands without an answer. */
  private underWay = 0;

  constructor(
    private readonly askMany: AskMany,
    /** How the command stands in traces. */
    private readonly inTraces: SpanOptions,
    private readonly errorType: (error: unknown) => string,
  ) {}

  /** The value for `key`. Rejects as the whole command does. */
  ask(key: string, arg: string, span?: Span): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (span) (this.spans ??= []).push(span);
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
    const span = this.spans && this.commandSpan(this.spans, keys.length);
    this.spans = undefined;
    this.keys = [];
    this.args = [];
    this.waiting = [];
    this.underWay += 1;
    this.askMany(keys, args).then(
      (values) => {
        span?.end();
        this.answered();
        for (let index = 0; index < waiting.length; index++) waiting[index]?.resolve(values[index]);
      },
      (error: unknown) => {
        span?.fail(this.errorType(error));
        span?.end();
        this.answered();
        for (const each of waiting) each.reject(error);
      },
    );
  };

  /**
   * One command is the work of many requests, and a span has one parent: it is a part of the first of those that are
   * traced, and linked to the others, as they are to it.
   */
  private commandSpan([first, ...others]: readonly Span[], size: number): Span | undefined {
    const { attributes, ...options } = this.inTraces;
    const many = size > 1 ? { "db.operation.batch.size": size } : {};
    const span = first?.child({ ...options, attributes: { ...attributes, ...many }, links: others });
    if (span) for (const other of others) other.link(span);
    return span;
  }

  private answered(): void {
    this.underWay -= 1;
    if (this.keys.length > 0) this.sendSoon();
  }
}
