/** docs/operations.md: the table of metrics, out of src/services/telemetry/metrics/definitions.ts; its prose is written by hand. */
import { code, fill, table } from "./markdown.mjs";

/** The page with its table as the code has it. */
export function operationsPage(page, definitions) {
  return fill(page, "metrics", () => {
    const rows = Object.entries(definitions).map(([name, { type, labels, help }]) => [
      code(name),
      type,
      labels.map(code).join(", "),
      help,
    ]);
    return table(["metric", "type", "labels", "meaning"], rows);
  });
}
