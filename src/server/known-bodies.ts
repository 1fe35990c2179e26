/** Bodies of requests that come again and again, byte for byte, so that they need not be parsed again. */

/**
 * As much as is remembered: most apps send one or two, since who asks stands in a header. A Teams user's Entra token, the
 * one secret that a body can have, is longer.
 */
const [places, maxBytes] = [8, 1_024];
/** Of bodies that are not known one in so many is remembered: where each is another one, that would be work for nothing. */
const oneIn = 8;

interface Known {
  readonly bytes: Buffer;
  readonly value: Readonly<Record<string, unknown>>;
  /** Asked for since the hand was here. */
  isUsed: boolean;
}

/** A few of them, by what they are; who has not come back for longest gives way (Corbató's clock). */
export class KnownBodies {
  private readonly known: Known[] = [];
  private hand = 0;
  private unknown = 0;

  /** The value of the same bytes, or what `parse` makes of them. It is frozen if it is given to others as well. */
  valueOf(
    bytes: Buffer,
    parse: (bytes: Buffer) => Record<string, unknown>,
  ): Readonly<Record<string, unknown>> {
    for (const each of this.known) {
      if (each.bytes.length !== bytes.length || !each.bytes.equals(bytes)) continue;
      each.isUsed = true;
      return each.value;
    }
    const value = parse(bytes);
    if (bytes.length <= maxBytes && this.unknown++ % oneIn === 0) this.remember(bytes, value);
    return value;
  }

  private remember(bytes: Buffer, value: Record<string, unknown>): void {
    freeze(value);
    // A copy: what came from the network is a part of something larger.
    this.known[this.nextPlace()] = { bytes: Buffer.from(bytes), value, isUsed: false };
  }

  private nextPlace(): number {
    for (;;) {
      const place = this.hand;
      this.hand = (place + 1) % places;
      const there = this.known[place];
      if (!there?.isUsed) return place;
      there.isUsed = false;
    }
  }
}

/** Not by recursion: a stranger chooses how deep it is. */
function freeze(value: object): void {
  const left = [value];
  for (let each = left.pop(); each; each = left.pop()) {
    Object.freeze(each);
    for (const part of Object.values(each) as unknown[]) {
      if (typeof part === "object" && part !== null) left.push(part);
    }
  }
}
