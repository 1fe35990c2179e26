/** A line of members in the order in which they joined, from which any of them can leave. */

/** What can stand in a {@link Line}: in one at a time. */
export class Member {
  /** Who joined next before, and after; for the line alone. */
  before: this | undefined;
  after: this | undefined;
}

/**
 * It is linked by hand, in the members themselves. A Set would do, but one that is added to and deleted from with each
 * request costs more than all of the rest: the tables that it leaves behind point at those that come after them, and
 * the garbage collector keeps whole generations of requests.
 */
export class Line<T extends Member> {
  private last: T | undefined;
  /** Who has stood in it for longest. */
  first: T | undefined;

  /** Stands at its end from now on. It must not stand in a line. */
  join(member: T): void {
    member.before = this.last;
    if (this.last) this.last.after = member;
    else this.first = member;
    this.last = member;
  }

  /** Stands in it no more; nothing happens if it does not. */
  leave(member: T): void {
    const { before, after } = member;
    if (before) before.after = after;
    else if (this.first === member) this.first = after;
    else return;
    if (after) after.before = before;
    else this.last = before;
    // What has left must not keep alive who came after it.
    member.before = member.after = undefined;
  }
}
