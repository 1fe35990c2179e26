/** Waits for conditions instead of for luck. */

/** Waits for a condition, and takes errors on the way for "not yet". */
export async function until(condition: () => boolean | Promise<boolean>, patienceMs = 10_000): Promise<void> {
  for (const deadline = Date.now() + patienceMs; ;) {
    if (
      await Promise.resolve()
        .then(condition)
        .catch(() => false)
    )
      return;
    if (Date.now() > deadline) throw new Error(`The condition did not come true in ${patienceMs} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
