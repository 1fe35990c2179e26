/** Pieces of Markdown. */

/** A table; cells are Markdown themselves. */
export function table(head, rows) {
  const line = (cells) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

export const code = (text) => `\`${text}\``;

/** The anchor that GitHub gives to a heading. */
export const anchor = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");

/** Replaces what is between a page's markers `<!-- NAME: ARGUMENTS -->` and `<!-- end of NAME -->`. */
export function fill(page, name, make) {
  const marked = new RegExp(`(<!-- ${name}(?:: (.*?))? -->)[^]*?(<!-- end of ${name} -->)`, "g");
  return page.replace(marked, (_all, begin, words = "", end) => {
    return `${begin}\n\n${make(words.split(" ").filter(Boolean))}\n\n${end}`;
  });
}

/** The error codes that a description lists after "Errors:". */
export function errorsIn(description = "") {
  const list = /Errors: (.*)$/s.exec(description)?.[1] ?? "";
  return [...list.matchAll(/[A-Z][A-Z_]{3,}/g)].map(([name]) => name);
}
