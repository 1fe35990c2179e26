/** Waits for a condition instead of for a time. */

/** Resolves when `condition` comes true; rejects after `ms`. */
export async function until(condition: () => Promise<boolean>, ms = 10_000): Promise<void> {
  for (const deadline = Date.now() + ms; !(await condition());) {
    if (Date.now() > deadline) throw new Error(`The condition did not come true in ${ms} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
