/** The text form of lists of callers: entries of a head and `name=value` fields, as the environment and files have them. */
import type { Meaning } from "../watched-file";

/** One entry: `backend:ab12… rights=token:issue:any expires=2027-01-31`. */
export interface Entry {
  /** What stands first. */
  readonly head: string;
  /** The values of each field, in the order given; a field may be given several times. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
}

/** A text does not have the form that it must have. Caught where the text is parsed as a whole. */
export class EntryProblem extends Error {
  override readonly name = "EntryProblem";
}

/**
 * Splits a text into entries: separated by commas or newlines, `#` begins a comment that lasts to the end of its line.
 * `known` are the fields there are. Throws {@link EntryProblem}.
 */
export function splitEntries(text: string, known: readonly string[]): Entry[] {
  return text
    .split(/[\r\n]+/)
    .map((line) => line.replace(/(^|\s)#.*$/, ""))
    .flatMap((line) => line.split(","))
    .map((item) => item.trim())
    .filter((item) => item !== "")
    .map((item) => {
      const [head = "", ...rest] = item.split(/\s+/);
      const fields = new Map<string, string[]>();
      for (const field of rest) {
        const [, name = "", value = ""] = /^([a-z-]+)=(.+)$/.exec(field) ?? [];
        if (!known.includes(name)) {
          throw new EntryProblem(
            `has a field that is none of ${known.map((each) => `${each}=…`).join(", ")}`,
          );
        }
        fields.set(name, [...(fields.get(name) ?? []), value]);
      }
      return { head, fields };
    });
}

/** The words of a list field, given as `a+b` or as several fields: each must be one of `allowed`, or `all` for all. */
export function words<T extends string>(
  { fields }: Entry,
  name: string,
  allowed: readonly T[],
  whose: string,
): readonly T[] | undefined {
  const given = fields.get(name)?.flatMap((value) => value.split("+"));
  if (!given) return undefined;
  if (given.length === 1 && given[0] === "all") return allowed;
  const known = given.filter((word): word is T => (allowed as readonly string[]).includes(word));
  if (known.length === given.length) return [...new Set(known)];
  throw new EntryProblem(`must give ${whose} ${name} among ${allowed.join(", ")}, joined by +, or all`);
}

/** The value of a field that may be given once. */
export function single({ fields }: Entry, name: string, whose: string): string | undefined {
  const values = fields.get(name);
  if (values && values.length > 1) throw new EntryProblem(`must give ${whose} one ${name}`);
  return values?.[0];
}

/** A whole number within a range. */
export function number(
  entry: Entry,
  name: string,
  whose: string,
  min: number,
  max: number,
): number | undefined {
  const value = single(entry, name, whose);
  if (value === undefined) return undefined;
  if (/^\d{1,12}$/.test(value) && Number(value) >= min && Number(value) <= max) return Number(value);
  throw new EntryProblem(`must give ${whose} a ${name} from ${min} to ${max}`);
}

/** Runs a parser; an {@link EntryProblem} becomes the problem. */
export function parsed<T>(parse: () => T): Meaning<T> {
  try {
    return { value: parse() };
  } catch (error) {
    if (error instanceof EntryProblem) return { problem: error.message };
    throw error;
  }
}
