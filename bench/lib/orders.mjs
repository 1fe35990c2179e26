/** The other end of a {@link Worker}: a process that takes one order at a time, and answers with what came of it. */

/** @param {Record<string, (options: object) => unknown>} orders */
export function takeOrders(orders) {
  process.on("message", async ({ order, options }) => {
    try {
      process.send({ result: await orders[order](options) });
    } catch (error) {
      process.send({ problem: error.stack });
    }
  });
  process.on("disconnect", () => process.exit());
  process.send({ result: "ready" });
}
