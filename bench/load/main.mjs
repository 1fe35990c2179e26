/** The process that makes the load. */
import { takeOrders } from "../lib/orders.mjs";
import { Load } from "./load.mjs";
import { requestsFrom } from "./requests.mjs";

let load = new Load();

const orders = {
  open: async ({ requests, ...options }) => {
    load.close();
    load = new Load();
    await load.open({ ...options, requests: requestsFrom(requests) });
  },
  readAll: () => load.readAll(),
  once: ({ index, connection }) => load.once(index, connection),
  burst: () => load.burst(),
  saturate: (options) => load.saturate(options),
  pace: (options) => load.pace(options),
  close: () => load.close(),
};

takeOrders(orders);
