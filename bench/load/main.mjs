/** The process that makes the load: takes one order at a time from the bench, and answers with what it has measured. */
import { Load } from "./load.mjs";
import { numberedRequests, userRequests } from "./requests.mjs";

let load = new Load();

const orders = {
  open: async ({ targets, connections, requests, prefix }) => {
    load.close();
    load = new Load();
    const make = requests.placeholder === undefined ? userRequests : numberedRequests;
    await load.open({ targets, connections, requests: make(requests), prefix });
  },
  readAll: () => load.readAll(),
  saturate: (options) => load.saturate(options),
  pace: (options) => load.pace(options),
  close: () => load.close(),
};

process.on("message", async ({ order, options }) => {
  try {
    process.send({ result: await orders[order](options) });
  } catch (error) {
    process.send({ problem: error.stack });
  }
});
process.on("disconnect", () => process.exit());
process.send({ result: "ready" });
