/** A Jest reporter that leaves the numbers of its run for whoever adds them up. */
import { appendFileSync } from "node:fs";

/** Where the reporter leaves its numbers: the environment variable that names a file. */
export const countsVariable = "TEST_COUNTS_FILE";

export default class CountReporter {
  onRunComplete(_contexts, results) {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, numRuntimeErrorTestSuites } =
      results;
    const counts = {
      passed: numPassedTests,
      // A file that cannot be loaded has no tests to count, and is a failure all the same.
      failed: numFailedTests + numRuntimeErrorTestSuites,
      skipped: numPendingTests + numTodoTests,
    };
    appendFileSync(process.env[countsVariable], `${JSON.stringify(counts)}\n`);
  }
}
