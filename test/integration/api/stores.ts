/** The two worlds in which every operation is tested: with the in-process store, and with a real Redis. */
import type { WorldOptions } from "../../support/world";

export const stores: readonly (readonly [string, WorldOptions])[] = [
  ["in the process", {}],
  ["in Redis", { redis: true }],
];
