/** `npm run build [-- --served]`: brings dist/ up to date; with `--served` the part of it that a gateway serves. */
import { ensureBuilt, served } from "./lib/build.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { main, Problem } from "./lib/project.mjs";

await main(async (args) => {
  const unknown = args.find((each) => each !== "--served");
  if (unknown !== undefined) throw new Problem(`There is no ${unknown}; --served is the only option.`);
  await ensureInstalled();
  await ensureBuilt(args.length > 0 ? served : undefined);
});
