/**
 * Parts of lines of the log and of the audit, as JSON in which nothing is secret. What a stranger has chosen is cleaned
 * before it comes into a line, so that the whole line need not be searched; what is the same again and again is cleaned
 * once.
 */
import { shortText } from "./short-line";

/** Who did something, or asked for it. */
export interface Actor {
  /** Such as `service` or `user`. */
  readonly kind: string;
  /** The name of an API key, or a user's subject. */
  readonly name: string;
  /** Undefined: it is no user. */
  readonly user: { readonly issuer: string } | undefined;
}

/** A key as `new-key` makes them, in an id that a client has chosen. */
const keyLike = /(?<![\w-])[\w-]{43}(?![\w-])/g;
/** An id of our own, and of most clients. */
const uuid = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;

/** The longest text in characters; a user's subject has 255 at most. */
const maxText = 300;

/** Writes them. */
export class LineText {
  /** Callers live as long as their credentials are known. */
  private readonly actors = new WeakMap<Actor, string>();

  /** @param clean takes what is secret out of a text */
  constructor(private readonly clean: (text: string) => string) {}

  /** Of any text. */
  of(text: string): string {
    return this.clean(JSON.stringify(shortText(text, maxText)));
  }

  /** Of a request's id. It is of letters, digits and some signs, none of which JSON escapes. */
  ofRequestId(id: string): string {
    return `"${uuid.test(id) ? id : this.clean(id).replace(keyLike, "[key]")}"`;
  }

  ofActor(actor: Actor): string {
    let text = this.actors.get(actor);
    if (text === undefined) {
      const { kind, name, user } = actor;
      text = this.clean(JSON.stringify({ kind, name: shortText(name, maxText), issuer: user?.issuer }));
      this.actors.set(actor, text);
    }
    return text;
  }
}
