/** Events kept in memory, so that tests can see what the gateway told, and that nothing secret was in it. */
import { createEvents, type Events } from "../../src/services/telemetry/events";
import { createLogger } from "../../src/services/telemetry/logger";

export interface RecordedEvents extends Events {
  /** Every line that was logged, at level trace. */
  readonly lines: string[];
}

/** The real events on the real logger, which writes to an array. */
export function recordEvents(): RecordedEvents {
  const lines: string[] = [];
  const logger = createLogger("trace", { write: (line) => void lines.push(line) });
  return { ...createEvents(logger), lines };
}
