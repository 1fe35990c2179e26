/** `npm run bench [-- --quick] [--only NAME,NAME] [--contenders NAME,NAME] [--rounds N] [--seconds S]`: what the gateway costs, beside others. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureBuilt } from "./lib/build.mjs";
import { ensureInstalled, ownPackages } from "./lib/install.mjs";
import { main, Problem, root } from "./lib/project.mjs";
import { ensureTools } from "./lib/tools.mjs";

await main(async (args) => {
  const given = optionsOf(args);
  await ensureInstalled(ownPackages, {
    folders: [join(root, "bench")],
    what: "what the gateway is measured against",
    options: ["--ignore-scripts"],
  });
  await ensureBuilt(["program"]);
  Object.assign(process.env, (await ensureTools({ titles: ["redis-server"] })).environment);
  const bench = await import("../bench/main.mjs");
  const only = given.only?.split(",") ?? bench.names;
  const unknown = only.filter((name) => !bench.names.includes(name));
  if (unknown.length > 0)
    throw new Problem(`There is no ${unknown.join(", ")}, only ${bench.names.join(", ")}.`);
  await bench.main({
    only,
    ...given.sizes,
    quick: given.quick,
    contenders: given.contenders,
    isComplete: given.isComplete,
  });
  process.exit();
});

function optionsOf(args) {
  const text = { type: "string" };
  const options = {
    quick: { type: "boolean", default: false },
    only: text,
    contenders: text,
    rounds: text,
    seconds: text,
  };
  let values;
  try {
    ({ values } = parseArgs({ args, options }));
  } catch (error) {
    throw new Problem(error.message);
  }
  const { quick, only } = values;
  const contenders = values.contenders?.split(",");
  const sizes = {
    rounds: number("--rounds", values.rounds) ?? (quick ? 3 : 5),
    seconds: number("--seconds", values.seconds) ?? (quick ? 1 : 2.5),
  };
  if (!Number.isInteger(sizes.rounds)) throw new Problem("--rounds must be a whole number.");
  return { quick, only, contenders, sizes, isComplete: args.length === 0 };
}

function number(name, text) {
  if (text === undefined) return undefined;
  if (Number(text) > 0) return Number(text);
  throw new Problem(`${name} must be a number greater than 0.`);
}
