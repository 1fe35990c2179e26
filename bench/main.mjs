/** Runs the scenarios in one world, and writes what they have found. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import { describeMachine } from "./lib/machine.mjs";
import { say } from "./lib/say.mjs";
import { table } from "./lib/table.mjs";
import { startWorld } from "./lib/world.mjs";

/** In the order in which they run: the later ones fill Redis. */
export const names = ["hot-path", "cold", "start", "stampede", "replicas", "growth", "memory"];

const folder = fileURLToPath(new URL(".", import.meta.url));

/**
 * @param {{ only: string[], rounds: number, seconds: number, quick: boolean, isComplete: boolean }} options
 * A complete run is written to `RESULTS.md`, any other beside what git keeps.
 */
export async function main(options) {
  const began = Date.now();
  const world = await startWorld({ users: 1000 });
  const machine = describeMachine(world);
  const found = [];
  try {
    for (const name of names.filter((each) => options.only.includes(each))) {
      const scenario = await import(`./scenarios/${name}.mjs`);
      const startedAt = Date.now();
      say(`${scenario.title}…`);
      const results = await scenario.measure(world, options);
      const seconds = Math.round((Date.now() - startedAt) / 1000);
      found.push({ name, title: scenario.title, seconds, results, ...scenario.report(results) });
    }
  } finally {
    await world.end();
  }
  const minutes = Math.ceil((Date.now() - began) / 60_000);
  const file = options.isComplete
    ? join(folder, "RESULTS.md")
    : join(folder, "..", ".cache", "bench", "RESULTS.md");
  const plain = document(found, machine, { ...options, minutes });
  const text = await format(plain, { ...(await resolveConfig(file)), parser: "markdown" });
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  process.stdout.write(text);
  say(`Written to ${file}`);
}

function document(found, machine, { rounds, seconds, minutes, isComplete }) {
  const goals = found.flatMap((each) => each.goals ?? []);
  const goalRows = goals.map(({ what, goal, found: value, isMet }) => [
    what,
    goal,
    value,
    isMet ? "met" : "**not met**",
  ]);
  const parts = [
    "# Results of the bench",
    `Made by \`npm run bench\` on ${new Date().toISOString().slice(0, 10)}, in one run of ${minutes} minutes${isComplete ? "" : ", which was not a complete one"}: ${rounds} rounds, ${seconds} s for each contender in each. Compare numbers within this page only: another machine has others, and this one has others on another day.`,
    table(["machine", ""], machine).replace("---:", "---"),
    ...(goals.length > 0 ? ["## Goals", table(["", "goal", "found", ""], goalRows)] : []),
    ...found.flatMap(({ title, text }) => [`## ${title}`, text]),
  ];
  return `${parts.join("\n\n")}\n`;
}
