/** A Jest reporter that leaves the numbers of its run, and the time of each kind of test, for whoever sums them up. */
import { writeFileSync } from "node:fs";

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
      files: timeByKind(results.testResults),
    };
    writeFileSync(process.env[countsVariable], JSON.stringify(counts));
  }
}

/** Milliseconds of `test/unit`, `test/integration` and `test/e2e`. */
function timeByKind(files) {
  const times = {};
  for (const { testFilePath, perfStats } of files) {
    const kind = /[/\\]test[/\\](\w+)[/\\]/.exec(testFilePath)?.[1] ?? "others";
    times[kind] = (times[kind] ?? 0) + perfStats.runtime;
  }
  return times;
}
