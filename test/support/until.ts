/** Waits for a condition instead of for a time. */

/** Resolves when `condition` comes true, and takes errors on the way for "not yet"; rejects after `ms`. */
export async function until(condition: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  // Of the clocks the one that no test stops.
  const elapsedMs = () => Number(process.hrtime.bigint() - startedAt) / 1e6;
  const startedAt = process.hrtime.bigint();
  const holds = async () => {
    try {
      return await condition();
    } catch {
      return false;
    }
  };
  while (!(await holds())) {
    if (elapsedMs() > ms) throw new Error(`The condition did not come true in ${ms} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
