/** A table in a card. On narrow screens each row becomes a block of named values. */
import { children, el, setAttribute, setText } from "./dom";

/** A cell's text. */
export interface Cell {
  readonly text: string;
  /** `bad`, `warn` and `good` have a sign beside their colour. */
  readonly tone?: "bad" | "warn" | "good";
  /** How much of a limit is used, from 0 to 1, drawn beside the text. */
  readonly used?: number;
}

/** What a table shows. */
export interface TableOptions {
  readonly id: string;
  readonly heading: string;
  /** The first column names the row, the others hold values. */
  readonly columns: readonly string[];
  /** Shown in place of a table without rows. */
  readonly empty: string;
}

export class Table {
  readonly element: HTMLElement;
  private readonly body = el("tbody");
  private readonly table: HTMLTableElement;
  private readonly empty: HTMLElement;

  constructor(private readonly options: TableOptions) {
    const { id, heading, columns, empty } = options;
    const head = columns.map((name) => el("th", { scope: "col" }, name));
    this.table = el(
      "table",
      { "aria-labelledby": `${id}-heading` },
      el("thead", {}, el("tr", {}, ...head)),
      this.body,
    );
    this.empty = el("p", { class: "empty" }, empty);
    const title = el("h3", { id: `${id}-heading` }, heading);
    this.element = el("section", { class: "card", id }, title, this.table, this.empty);
  }

  /** Replaces the rows. */
  fill(rows: readonly (readonly Cell[])[]): void {
    this.table.hidden = rows.length === 0;
    this.empty.hidden = rows.length > 0;
    children(this.body, rows.length, () => this.makeRow()).forEach((row, index) => {
      rows[index]?.forEach((cell, at) => {
        const element = row.children[at];
        if (element) fillCell(element, cell);
      });
    });
  }

  private makeRow(): HTMLTableRowElement {
    const cells = this.options.columns.map((name, index) =>
      index === 0 ? el("th", { scope: "row" }) : el("td", { "data-label": name }),
    );
    return el("tr", {}, ...cells);
  }
}

function fillCell(element: Element, { text, tone, used }: Cell): void {
  setAttribute(element, "class", tone ?? "");
  if (used === undefined) {
    setText(element, text);
    return;
  }
  const [meter, words] = [
    element.querySelector("meter") ?? makeMeter(),
    element.querySelector("span") ?? el("span"),
  ];
  if (!meter.isConnected) element.replaceChildren(meter, words);
  meter.value = used;
  setAttribute(meter, "aria-label", text);
  setText(words, text);
}

function makeMeter(): HTMLMeterElement {
  return el("meter", { min: "0", max: "1", low: "0.75", high: "0.9", optimum: "0" });
}
