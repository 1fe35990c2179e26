/** What a PromQL expression asks for, by Prometheus's own grammar. */
import { parser } from "@prometheus-io/lezer-promql";

/** A choice of series. */
export interface Selector {
  readonly name: string;
  readonly labels: readonly string[];
  /** The values that a label is compared with; of a pattern its alternatives. */
  readonly values: readonly (readonly [label: string, value: string])[];
  /** Inside of `rate` or `increase`, which only counters stand. */
  readonly asCounter: boolean;
}

/** The selectors of an expression, and the labels that it groups or matches by. Throws when it is not PromQL. */
export function readPromql(expression: string): {
  readonly selectors: readonly Selector[];
  readonly grouped: readonly string[];
} {
  // Grafana writes a duration in its place.
  const text = expression.replaceAll("$__rate_interval", "5m");
  const selectors: (Selector & { labels: string[]; values: [string, string][] })[] = [];
  const grouped: string[] = [];
  parser.parse(text).iterate({
    enter: ({ name, from, to, type, node }) => {
      const source = text.slice(from, to);
      if (type.isError) throw new Error(`This is not PromQL at ${from}: ${text}`);
      const { parent } = node;
      if (name === "Identifier" && parent?.name === "VectorSelector") {
        selectors.push({ name: source, labels: [], values: [], asCounter: isRated(node, text) });
      }
      if (name === "LabelName" && parent?.name === "GroupingLabels") grouped.push(source);
      if (name === "UnquotedLabelMatcher") {
        const [, label = "", quoted = ""] = /^(\w+)\s*(?:=|!=|=~|!~)\s*"(.*)"$/.exec(source) ?? [];
        const selector = selectors.at(-1)!;
        selector.labels.push(label);
        if (!quoted.startsWith("$"))
          for (const value of quoted.split("|")) selector.values.push([label, value]);
      }
    },
  });
  return { selectors, grouped };
}

interface SyntaxNode {
  readonly name: string;
  readonly from: number;
  readonly parent: SyntaxNode | null;
}

function isRated(selected: SyntaxNode, text: string): boolean {
  for (let node: SyntaxNode | null = selected; node; node = node.parent) {
    if (node.name === "FunctionCall") return /^(rate|increase)\b/.test(text.slice(node.from));
  }
  return false;
}
