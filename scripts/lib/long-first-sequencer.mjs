/** The order of test files: the long ones first, so that no worker is left alone with one of them at the end. */
import Sequencer from "@jest/test-sequencer";

/** Those that take a quarter of a minute or longer, the longest first. Jest itself knows that of earlier runs only. */
const long = [
  "history/history",
  "deploy/image",
  "commands/scripts",
  "explorer/explorer.browser",
  "package/package",
  "examples/languages",
  "azure/several-resources",
  "compiled/differential",
  "client/token-refresher",
  "access/",
  "smoke/history",
  "api/redis-away",
  "commands/keys",
  "package/release",
  "federation/",
];

export default class LongFirstSequencer extends Sequencer {
  /** Stable: those that are not long keep Jest's order. */
  sort(tests) {
    const place = ({ path }) => {
      const found = long.findIndex((name) => path.replaceAll("\\", "/").includes(`/${name}`));
      return found === -1 ? long.length : found;
    };
    return super.sort(tests).toSorted((a, b) => place(a) - place(b));
  }
}
