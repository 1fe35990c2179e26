/** docs/configuration.md: the tables of variables, out of src/config/variables.ts; its prose is written by hand. */
import { Problem } from "../project.mjs";
import { code, fill, table } from "./markdown.mjs";

/** The emulator's own, which the gateway's configuration does not know. */
const others = [
  {
    name: "EMULATOR_PORT",
    default: "4010",
    meaning: "port of the emulator, alone or brought along by a development gateway",
  },
];

/** The page with its tables as the code has them. Throws when a variable is in none of them, or in two. */
export function configurationPage(page, variables) {
  const known = new Map([...variables, ...others].map((variable) => [variable.name, variable]));
  const left = new Set(known.keys());
  const filled = fill(page, "variables", (names) => {
    const rows = names.map((name) => {
      if (!left.delete(name))
        throw new Problem(`docs/configuration.md lists ${name}, which is unknown or listed before.`);
      const variable = known.get(name);
      return [code(name), variable.default, variable.meaning];
    });
    return table(["variable", "default", "meaning"], rows);
  });
  if (left.size > 0) throw new Problem(`docs/configuration.md must list ${[...left].join(", ")}.`);
  return filled;
}
