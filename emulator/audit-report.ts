/** Runs the contract's checks against a resource and tells how each went. */
import { audits } from "./audits";

/** Runs all checks one after another. Resolves with the exit code: 1 when a MUST failed. */
export async function runAudits(connectionString: string, say: (line: string) => void): Promise<number> {
  let failedMusts = 0;
  for (const audit of audits) {
    const failure = await audit.run(connectionString).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    say(
      `${failure === undefined ? "ok  " : "FAIL"} ${audit.id} ${audit.level} ${audit.title}${failure ? `\n       ${failure}` : ""}`,
    );
    if (failure !== undefined && audit.level === "MUST") failedMusts += 1;
  }
  say(`\n${audits.length} checks, ${failedMusts} MUST failed.`);
  return failedMusts === 0 ? 0 : 1;
}
