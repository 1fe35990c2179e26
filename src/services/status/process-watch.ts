/** What the process says of itself: memory, and how busy it was since it was last asked. */
import type { ProcessFigures } from "./tick";

/** Measures between one look and the next. */
export class ProcessWatch {
  private loop = performance.eventLoopUtilization();

  /** Resident memory, and the share of the time since the last call that the event loop was busy. */
  look(): ProcessFigures {
    const loop = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(loop, this.loop);
    this.loop = loop;
    return { memory: process.memoryUsage.rss(), busy: utilization };
  }
}
