/** A table in a card, filled anew with each answer. */
import { children, el, setAttribute, setText } from "./dom";

/** What a cell says. */
export interface Cell {
  readonly text: string;
  /** `bad` and `warn` have a sign beside their colour. */
  readonly tone?: "bad" | "warn" | "good" | "quiet";
  /** A share from 0 to 1 that is drawn beside the text; little is bad. */
  readonly left?: number | undefined;
}

/** A column: numbers stand on the right. */
export interface Column {
  readonly name: string;
  readonly isNumber?: boolean;
}

/** A card with a table. */
export class Table {
  readonly element: HTMLElement;
  private readonly body = el("tbody");
  private readonly table: HTMLTableElement;
  private readonly empty: HTMLElement;
  private readonly note = el("p", { class: "note" });

  constructor(
    id: string,
    heading: string,
    private readonly columns: readonly Column[],
    /** Said in the place of a table without rows. */
    emptyText: string,
  ) {
    const head = el(
      "tr",
      {},
      ...columns.map(({ name, isNumber }) =>
        el("th", { scope: "col", ...(isNumber ? { class: "number" } : {}) }, name),
      ),
    );
    this.table = el("table", { "aria-labelledby": `${id}-heading` }, el("thead", {}, head), this.body);
    this.empty = el("p", { class: "empty" }, emptyText);
    const scroll = el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": `${id}-heading` },
      this.table,
    );
    const title = el("h2", { id: `${id}-heading` }, heading);
    this.element = el("section", { class: "card", id }, title, this.note, scroll, this.empty);
  }

  /** The rows; the first cell of each is its heading. */
  fill(rows: readonly (readonly Cell[])[], note = ""): void {
    this.table.hidden = rows.length === 0;
    this.empty.hidden = rows.length > 0;
    this.note.hidden = note === "";
    setText(this.note, note);
    const elements = children(this.body, rows.length, () => this.makeRow());
    for (const [index, row] of elements.entries()) {
      for (const [at, cell] of (rows[index] ?? []).entries()) {
        const element = row.children[at];
        if (element) fillCell(element, cell, this.columns[at]?.isNumber === true);
      }
    }
  }

  private makeRow(): HTMLTableRowElement {
    return el(
      "tr",
      {},
      ...this.columns.map((_, index) => (index === 0 ? el("th", { scope: "row" }) : el("td"))),
    );
  }
}

function fillCell(element: Element, { text, tone, left }: Cell, isNumber: boolean): void {
  setAttribute(element, "class", [isNumber ? "number" : "", tone ?? ""].join(" ").trim());
  if (left === undefined) {
    setText(element, text);
    return;
  }
  const meter =
    element.querySelector("meter") ??
    el("meter", { min: "0", max: "1", low: "0.1", high: "0.25", optimum: "1" });
  const words = element.querySelector("span") ?? el("span");
  if (!meter.isConnected) element.replaceChildren(meter, words);
  meter.value = left;
  setAttribute(meter, "aria-label", text);
  setText(words, text);
}
