/** Waits for a condition instead of for a time. */

/** Resolves when `condition` comes true, and takes errors on the way for "not yet"; rejects after `ms`. */
export async function until(condition: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const holds = async () => {
    try {
      return await condition();
    } catch {
      return false;
    }
  };
  for (const deadline = Date.now() + ms; !(await holds());) {
    if (Date.now() > deadline) throw new Error(`The condition did not come true in ${ms} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
