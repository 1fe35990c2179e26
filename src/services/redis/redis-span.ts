/** How calls of scripts stand in traces. */
import type { SpanOptions } from "../telemetry/span";

/** The span of a call of a script (semantic conventions for Redis). Never its key or arguments. */
export function scriptSpan(name: string): SpanOptions {
  return {
    name: `EVALSHA ${name}`,
    kind: "client",
    attributes: {
      "db.system.name": "redis",
      "db.operation.name": "EVALSHA",
      "db.stored_procedure.name": name,
    },
  };
}
