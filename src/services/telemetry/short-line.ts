/** Keeps the lines of the log and of the audit short, whatever others have put into them. */

/** The longest line, in bytes with its end. */
const maxLineBytes = 4_096;

/**
 * The line, or if it is longer than {@link maxLineBytes} one of the same members, whose values are cut until it is not.
 * @param line a JSON object and the end of the line. Its secrets are looked for afterwards: that takes time.
 */
export function shortLine(line: string): string {
  if (line.length * 3 <= maxLineBytes || Buffer.byteLength(line) <= maxLineBytes) return line;
  const members = Object.entries(parsed(line)).slice(0, 40);
  let text = line;
  for (let most = 2_000; most > 8 && Buffer.byteLength(text) > maxLineBytes; most /= 2) {
    const short = members.map(([name, value]) => [name, shortValue(value, most)] as const);
    text = JSON.stringify(Object.fromEntries(short)) + "\n";
  }
  return text;
}

/** At most `most` characters of the text, and an ellipsis. What the cut would split goes: no half of a secret can be told from a word. */
export function shortText(text: string, most: number): string {
  if (text.length <= most) return text;
  const start = text.slice(0, most);
  return `${start.slice(0, Math.max(start.lastIndexOf(" "), start.lastIndexOf("\n")) + 1)}…`;
}

/** A line in which a secret was found may be no JSON any more. */
function parsed(line: string): object {
  try {
    return JSON.parse(line) as object;
  } catch {
    return { msg: line };
  }
}

function shortValue(value: unknown, most: number): unknown {
  if (typeof value === "string") return shortText(value, most);
  const text = JSON.stringify(value);
  return text.length <= most ? value : shortText(text, most);
}
