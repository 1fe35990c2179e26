/** What the bench tells while it runs, on stderr. */
export { say } from "../../scripts/lib/project.mjs";
