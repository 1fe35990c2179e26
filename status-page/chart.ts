/** A chart of figures over time, in SVG: lines that differ in more than colour, read by mouse, finger or keyboard. */
import { children, el, setAttribute, setText, svg } from "./dom";
import { short, time } from "./format";
import type { Name, Status } from "./status";

/** A line of a chart. */
export interface Line {
  readonly name: Name;
  readonly label: string;
  /** Its look: 1 is drawn through, 2 dashed, 3 dotted; `bad` is dashed and red. */
  readonly look: "1" | "2" | "3" | "bad";
}

/** What a chart shows. */
export interface ChartOptions {
  readonly id: string;
  readonly heading: string;
  readonly lines: readonly Line[];
  /** A value with its unit. */
  readonly say: (value: number | null) => string;
  /** The highest that can be; the highest that there is when left out. */
  readonly top?: number;
  /** The scale's end when everything is below it. */
  readonly least: number;
}

const height = 132;
const margin = { top: 8, right: 8, bottom: 20, left: 52 };
const plotHeight = height - margin.top - margin.bottom;

/** Seconds from the left edge to the right, and between two marks of the time. */
const spans = {
  short: { seconds: 900, mark: 300, row: 60 },
  long: { seconds: 3_600, mark: 900, row: 300 },
} as const;

/** A chart in a card. */
export class Chart {
  readonly element: HTMLElement;
  private readonly picture = svg("svg", {
    class: "chart",
    height,
    tabindex: 0,
    role: "slider",
    "aria-roledescription": "timeline",
    "aria-orientation": "horizontal",
    "aria-valuemin": 0,
  });
  private readonly grid = svg("g", { class: "grid" });
  private readonly area = svg("path", { class: "area" });
  private readonly paths: readonly SVGPathElement[];
  private readonly cursor = svg("g", { class: "cursor" });
  private readonly values: readonly HTMLElement[];
  private readonly when = el("span", { class: "when" });
  private readonly details = el("details");
  private readonly rows = el("tbody");
  private status: Status | undefined;
  private width = 0;
  /** The point that is read; undefined: the last. */
  private chosen: number | undefined;

  constructor(private readonly options: ChartOptions) {
    const { id, heading, lines } = options;
    const title = el("h3", { id: `${id}-heading` }, heading);
    this.values = lines.map(() => el("span", { class: "value" }));
    const legend = el(
      "ul",
      { class: "legend" },
      ...lines.map(({ label, look }, index) =>
        el("li", {}, swatch(look), ` ${label} `, this.values[index] ?? ""),
      ),
    );
    this.paths = lines.map(({ look }) => svg("path", { class: `line look-${look}` }));
    this.picture.append(this.grid, this.area, ...[...this.paths].reverse(), this.cursor);
    setAttribute(this.picture, "aria-labelledby", `${id}-heading`);
    const head = el(
      "tr",
      {},
      ...["Time", ...lines.map(({ label }) => label)].map((name) => el("th", { scope: "col" }, name)),
    );
    this.details.append(
      el("summary", {}, "As a table"),
      el("table", { "aria-labelledby": `${id}-heading` }, el("thead", {}, head), this.rows),
    );
    this.element = el(
      "figure",
      { class: "card chart-card", id },
      el("figcaption", {}, title, this.when),
      legend,
      this.picture,
      this.details,
    );
    this.listen();
  }

  /** Shows the figures of an answer. */
  show(status: Status): void {
    const ages = status.history.age;
    // What is read stays the same moment while time goes on.
    if (this.chosen !== undefined && this.status?.span === status.span) {
      const at = this.status.at - (this.status.history.age[this.chosen] ?? 0) * 1_000;
      this.chosen = nearest(ages, (status.at - at) / 1_000);
    } else this.chosen = undefined;
    this.status = status;
    this.draw();
  }

  private listen(): void {
    new ResizeObserver(([entry]) => {
      this.width = Math.floor(entry?.contentRect.width ?? 0);
      this.draw();
    }).observe(this.picture);
    this.picture.addEventListener("pointermove", (event) => {
      const { status } = this;
      if (!status) return;
      const x = event.clientX - this.picture.getBoundingClientRect().left;
      const share = (x - margin.left) / this.plotWidth;
      this.choose(nearest(status.history.age, (1 - share) * spans[status.span].seconds));
    });
    for (const name of ["pointerleave", "blur"]) {
      this.picture.addEventListener(name, () => {
        this.choose(undefined);
      });
    }
    this.picture.addEventListener("keydown", (event) => {
      const last = (this.status?.history.age.length ?? 0) - 1;
      const from = this.chosen ?? last;
      const to = {
        ArrowLeft: from - 1,
        ArrowRight: from + 1,
        PageUp: from + 20,
        PageDown: from - 20,
        Home: 0,
        End: last,
      };
      const wanted = to[event.key as keyof typeof to] as number | undefined;
      if (wanted === undefined || last < 0) return;
      event.preventDefault();
      this.choose(Math.min(Math.max(wanted, 0), last));
    });
    this.details.addEventListener("toggle", () => {
      this.fillTable();
    });
  }

  private get plotWidth(): number {
    return Math.max(1, this.width - margin.left - margin.right);
  }

  private choose(point: number | undefined): void {
    this.chosen = point;
    this.read();
  }

  private draw(): void {
    const { status } = this;
    if (!status || this.width === 0) return;
    const { lines, top, least } = this.options;
    const { age, figures } = status.history;
    const highest = Math.max(least, ...lines.flatMap(({ name }) => figures[name].map((value) => value ?? 0)));
    const scale = top === undefined ? niceScale(highest) : { top, step: top / 2 };
    this.drawGrid(scale, spans[status.span]);
    const x = age.map((seconds) => this.x(seconds, status));
    const y = (value: number) => margin.top + plotHeight * (1 - Math.min(value / scale.top, 1));
    for (const [index, { name }] of lines.entries()) {
      const seen = figures[name].map((value, at) =>
        value === null || (x[at] ?? 0) < margin.left ? null : y(value),
      );
      const d = pathOf(x, seen);
      const path = this.paths[index];
      if (path) setAttribute(path, "d", d);
      if (index === 0) setAttribute(this.area, "d", areaOf(d, y(0)));
    }
    setAttribute(this.picture, "data-top", scale.top);
    this.readAt = { x, y };
    this.read();
    this.fillTable();
  }

  private readAt: { readonly x: readonly number[]; readonly y: (value: number) => number } | undefined;

  private x(age: number, { span }: Status): number {
    return margin.left + this.plotWidth * (1 - age / spans[span].seconds);
  }

  private drawGrid({ top, step }: Scale, { seconds, mark }: { seconds: number; mark: number }): void {
    const { say } = this.options;
    const right = margin.left + this.plotWidth;
    const parts: SVGElement[] = [];
    for (let value = 0; value <= top * 1.001; value += step) {
      const y = Math.round(margin.top + plotHeight * (1 - value / top)) + 0.5;
      parts.push(
        svg("line", { x1: margin.left, x2: right, y1: y, y2: y }),
        svg("text", { x: margin.left - 6, y: y + 3.5, "text-anchor": "end" }, short(say(value))),
      );
    }
    for (let age = 0; age <= seconds; age += mark) {
      const x = margin.left + this.plotWidth * (1 - age / seconds);
      const anchor = age === 0 ? "end" : age === seconds ? "start" : "middle";
      const text = age === 0 ? "now" : `−${age / 60} min`;
      parts.push(svg("text", { x, y: height - 5, "text-anchor": anchor }, text));
    }
    this.grid.replaceChildren(...parts);
  }

  /** Says the figures of the point that is read. */
  private read(): void {
    const { status, chosen, readAt } = this;
    if (!status || !readAt) return;
    const { lines, say } = this.options;
    const { age, figures } = status.history;
    const index = chosen ?? age.length - 1;
    const at = status.at - (age[index] ?? 0) * 1_000;
    const marks: SVGElement[] = [];
    const words: string[] = [];
    for (const [line, { name, label, look }] of lines.entries()) {
      const value = figures[name][index] ?? null;
      const element = this.values[line];
      if (element) setText(element, say(value));
      words.push(`${label} ${value === null ? "none" : say(value)}`);
      if (value !== null && chosen !== undefined) {
        marks.push(
          svg("circle", { class: `look-${look}`, cx: readAt.x[index] ?? 0, cy: readAt.y(value), r: 3.5 }),
        );
      }
    }
    const x = readAt.x[index] ?? 0;
    const ruler = svg("line", { x1: x, x2: x, y1: margin.top, y2: margin.top + plotHeight });
    this.cursor.replaceChildren(...(chosen === undefined ? [] : [ruler, ...marks]));
    setText(this.when, chosen === undefined ? "" : time(at));
    setAttribute(this.picture, "aria-valuemax", Math.max(0, age.length - 1));
    setAttribute(this.picture, "aria-valuenow", Math.max(0, index));
    setAttribute(
      this.picture,
      "aria-valuetext",
      age.length === 0 ? "nothing measured yet" : `${time(at)}: ${words.join(", ")}`,
    );
  }

  /** A row for a minute, or for five. */
  private fillTable(): void {
    const { status } = this;
    if (!status || !this.details.open) return;
    const { lines, say } = this.options;
    const { age, figures } = status.history;
    const { row: length } = spans[status.span];
    const groups = new Map<number, number[]>();
    for (const [index, seconds] of age.entries()) {
      const group = Math.floor(seconds / length);
      groups.set(group, [...(groups.get(group) ?? []), index]);
    }
    const rows = [...groups].sort(([one], [other]) => one - other);
    const make = () =>
      el("tr", {}, el("th", { scope: "row" }), ...lines.map(() => el("td", { class: "number" })));
    for (const [index, row] of children(this.rows, rows.length, make).entries()) {
      const [group, points] = rows[index] ?? [0, []];
      const [heading, ...cells] = row.children;
      if (heading) setText(heading, group === 0 ? "now" : `−${(group * length) / 60} min`);
      for (const [line, cell] of cells.entries()) {
        const name = lines[line]?.name ?? "operations";
        const values = points.map((point) => figures[name][point] ?? null).filter((value) => value !== null);
        setText(
          cell,
          say(values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length),
        );
      }
    }
  }
}

/** A small line without anything around it. */
export function sparkline(name: Name): {
  readonly element: SVGElement;
  readonly show: (status: Status) => void;
} {
  const path = svg("path", { class: "line look-1" });
  const area = svg("path", { class: "area" });
  const element = svg(
    "svg",
    {
      class: "sparkline",
      viewBox: "0 0 100 24",
      preserveAspectRatio: "none",
      "aria-hidden": "true",
      focusable: "false",
    },
    area,
    path,
  );
  const show = ({ history: { age, figures }, span }: Status) => {
    const values = figures[name];
    const highest = Math.max(1e-9, ...values.map((value) => value ?? 0));
    const x = age.map((seconds) => 100 * (1 - seconds / spans[span].seconds));
    const d = pathOf(
      x,
      values.map((value) => (value === null ? null : 22 - 20 * (value / highest))),
    );
    setAttribute(path, "d", d);
    setAttribute(area, "d", areaOf(d, 24));
  };
  return { element, show };
}

interface Scale {
  readonly top: number;
  readonly step: number;
}

/** Round numbers from zero to what is just above `highest`. */
function niceScale(highest: number): Scale {
  const rough = highest / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  return { step, top: step * Math.ceil(highest / step) };
}

/** A line through the points; it is broken where there is none. */
function pathOf(x: readonly number[], y: readonly (number | null)[]): string {
  const parts: string[] = [];
  let isDown = false;
  for (const [index, value] of y.entries()) {
    if (value === null) {
      isDown = false;
      continue;
    }
    const point = `${(x[index] ?? 0).toFixed(1)} ${value.toFixed(1)}`;
    const isAlone = !isDown && (y[index + 1] ?? null) === null;
    // A line of no length is a dot where lines end round.
    parts.push(isDown ? `L${point}` : isAlone ? `M${point}h0` : `M${point}`);
    isDown = true;
  }
  return parts.join("");
}

/** What is between a line and the ground. */
function areaOf(d: string, ground: number): string {
  return d
    .split("M")
    .filter((part) => part.includes("L"))
    .map((part) => {
      const points = part.split("L");
      const first = points[0]?.split(" ")[0] ?? "0";
      const last = points.at(-1)?.split(" ")[0] ?? "0";
      return `M${first} ${ground}L${points.join("L")}L${last} ${ground}Z`;
    })
    .join("");
}

function nearest(ages: readonly number[], age: number): number | undefined {
  let best: number | undefined;
  for (const [index, each] of ages.entries()) {
    if (best === undefined || Math.abs(each - age) < Math.abs((ages[best] ?? 0) - age)) best = index;
  }
  return best;
}

function swatch(look: string): SVGElement {
  return svg(
    "svg",
    { class: "swatch", width: 20, height: 8, "aria-hidden": "true", focusable: "false" },
    svg("path", { class: `line look-${look}`, d: "M1 4h18" }),
  );
}
