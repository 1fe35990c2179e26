/** A chart that grows with each period, drawn by uPlot. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { el, setText } from "./dom";
import { time } from "./format";
import type { Period } from "./period";

/** A line of a chart. */
export interface Line {
  readonly label: string;
  /** Its colour: one of three, or that of failures. */
  readonly look: "1" | "2" | "3" | "bad";
  /** Its next point; null leaves a gap. */
  readonly of: (period: Period) => number | null;
}

/** What a chart shows. */
export interface ChartOptions {
  readonly id: string;
  readonly heading: string;
  readonly lines: readonly Line[];
  /** A value with its unit. */
  readonly say: (value: number | null) => string;
  /** The least that the axis reaches to. */
  readonly least: number;
  /** Where the axis ends, if not above the largest value. */
  readonly top?: number;
  /** Without this metric the chart is hidden. */
  readonly needs?: string;
}

/** An hour at a scrape every three seconds. */
const maxPoints = 1_200;
const height = 170;
const dashes = { "1": [], "2": [6, 4], "3": [2, 3], bad: [8, 3, 2, 3] };

/** A card with a heading, a legend that shows the values under the pointer or else the latest, and the lines. */
export class Chart {
  readonly element: HTMLElement;
  private readonly plot: uPlot;
  private readonly picture = el("div", { class: "plot", role: "img" });
  private readonly values: readonly HTMLElement[];
  private readonly when = el("span", { class: "when" });
  private readonly times: number[] = [];
  private readonly points: (number | null)[][];

  constructor(private readonly options: ChartOptions) {
    const { id, heading, lines } = options;
    this.points = lines.map(() => []);
    this.values = lines.map(() => el("b", {}, "–"));
    const legend = lines.map(({ label, look }, index) =>
      el("li", {}, el("i", { class: `swatch look-${look}` }), `${label} `, this.values[index] ?? ""),
    );
    this.element = el(
      "figure",
      { class: "card chart", id },
      el("figcaption", {}, el("h3", {}, heading), this.when),
      el("ul", { class: "legend" }, ...legend),
      this.picture,
    );
    this.plot = new uPlot(this.plotOptions(), this.data(), this.picture);
    new ResizeObserver(([entry]) => {
      const width = Math.floor(entry?.contentRect.width ?? 0);
      if (width > 0) this.plot.setSize({ width, height });
    }).observe(this.picture);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.plot.redraw(false, true);
    });
  }

  /** Adds a point, or a gap while there are no figures. Times are in milliseconds. */
  add(at: number, period: Period | undefined): void {
    const { needs, lines } = this.options;
    if (period) this.element.hidden = needs !== undefined && !period.has(needs);
    this.times.push(at / 1_000);
    lines.forEach(({ of }, index) => this.points[index]?.push(period ? of(period) : null));
    if (this.times.length > maxPoints) for (const list of [this.times, ...this.points]) list.shift();
    this.plot.setData(this.data());
    this.showValues();
  }

  private data(): uPlot.AlignedData {
    return [this.times, ...this.points];
  }

  private showValues(): void {
    const { lines, say, heading } = this.options;
    const pointed = this.plot.cursor.idx ?? undefined;
    const at = pointed ?? this.times.length - 1;
    const texts = this.points.map((list) => say(list[at] ?? null));
    this.values.forEach((element, index) => {
      setText(element, texts[index] ?? "");
    });
    setText(this.when, pointed === undefined ? "" : time((this.times[pointed] ?? 0) * 1_000));
    const words = lines.map(({ label }, index) => `${label} ${texts[index] ?? ""}`).join(", ");
    this.picture.setAttribute("aria-label", `${heading}: ${words}`);
  }

  private plotOptions(): uPlot.Options {
    const { lines, say, least, top } = this.options;
    const axis: uPlot.Axis = {
      stroke: () => variable("--quiet"),
      grid: { stroke: () => variable("--grid"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
    };
    return {
      width: 320,
      height,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: {
        x: { time: true },
        y: { range: (_, __, max) => [0, top ?? Math.max(least, (max || 0) * 1.1)] },
      },
      series: [
        {},
        ...lines.map(({ look }): uPlot.Series => ({
          stroke: () => variable(`--line-${look}`),
          ...(look === "1" ? { fill: () => variable("--area") } : {}),
          width: 2,
          dash: dashes[look],
          points: { show: false },
        })),
      ],
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 26,
          space: 76,
          values: (_, splits) => splits.map((seconds) => time(seconds * 1_000)),
        },
        {
          ...axis,
          size: 62,
          space: 30,
          gap: 6,
          values: (_, splits) => splits.map((value) => say(value).replace(/\.0+\b/, "")),
        },
      ],
      hooks: {
        setCursor: [
          () => {
            this.showValues();
          },
        ],
      },
    };
  }
}

function variable(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
