/** Reads /metrics as a scraper does, with a parser that is not the gateway's. */
import parse from "parse-prometheus-text-format";

/** A sample by its name and labels. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What one scrape has brought. */
export class Scrape {
  /** As a scraper stores them: of a histogram `_bucket`, `_sum` and `_count`. */
  readonly samples: readonly Sample[];
  /** What is said to be what: names with `counter`, `gauge` or `histogram`. */
  readonly types: ReadonlyMap<string, string>;

  /** Throws when a line is not of the text format. */
  constructor(readonly text: string) {
    this.types = new Map(
      [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type = ""]) => [name, type]),
    );
    // The parser makes one of all histograms of a family, whatever their labels: without types it leaves them apart.
    this.samples = parse(text.replace(/^# TYPE .*$/gm, "")).flatMap(({ name, metrics }) =>
      metrics.map(({ labels = {}, value }) => ({ name, labels, value: Number(value) })),
    );
  }

  /** The sum of the samples of a gateway's metric, named without its prefix, that have these labels; undefined without any. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    const found = this.samples.filter(
      (sample) =>
        sample.name === `acs_token_gateway_${name}` &&
        Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    );
    return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
  }
}

/** Scrapes a gateway. */
export async function scrape(
  origin: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Scrape> {
  const response = await fetch(`${origin}/metrics`, { headers });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`/metrics answered ${response.status}: ${text}`);
  return new Scrape(text);
}
