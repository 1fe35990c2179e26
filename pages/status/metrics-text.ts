/** Reads Prometheus's text format. */

/** One combination of a metric's labels: always the same object, so that two scrapes are compared by it. */
export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** One scrape. */
export type Samples = ReadonlyMap<Series, number>;

const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?$/;
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const escaped: Readonly<Record<string, string>> = { "\\n": "\n", '\\"': '"', "\\\\": "\\" };

/** Returns a parser that remembers the series it has seen. Values that are not a number are left out. */
export function metricsParser(): (text: string) => Samples {
  const known = new Map<string, Series>();
  return (text) => {
    const samples = new Map<Series, number>();
    for (const row of text.split("\n")) {
      const [, name = "", labels = "", value = ""] = line.exec(row) ?? [];
      const number = Number(value.replace(/^([+-])Inf$/, "$1Infinity"));
      if (name === "" || Number.isNaN(number)) continue;
      const key = `${name}{${labels}}`;
      let series = known.get(key);
      if (!series) known.set(key, (series = { name, labels: labelsOf(labels) }));
      samples.set(series, number);
    }
    return samples;
  };
}

function labelsOf(text: string): Record<string, string> {
  const pairs = [...text.matchAll(label)].map(([, name = "", value = ""]) => [
    name,
    value.replace(/\\[n"\\]/g, (pair) => escaped[pair] ?? pair),
  ]);
  return Object.fromEntries(pairs) as Record<string, string>;
}
