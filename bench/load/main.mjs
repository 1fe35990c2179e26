/** The process that makes the load. */
import { takeOrders } from "../lib/orders.mjs";
import { Load } from "./load.mjs";
import { numberedRequests, userRequests } from "./requests.mjs";

let load = new Load();

const orders = {
  open: async ({ requests, ...options }) => {
    load.close();
    load = new Load();
    const make = requests.placeholder === undefined ? userRequests : numberedRequests;
    await load.open({ ...options, requests: make(requests) });
  },
  readAll: () => load.readAll(),
  saturate: (options) => load.saturate(options),
  pace: (options) => load.pace(options),
  close: () => load.close(),
};

takeOrders(orders);
