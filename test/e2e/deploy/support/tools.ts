/** The packages of test/e2e/deploy/tools/, which `npm run test:e2e` installs: not the project's own, because only these tests need them. */
import { createRequire } from "node:module";
import { join } from "node:path";

/** The project's folder. */
export const root = join(__dirname, "..", "..", "..", "..");
/** Where the packages are. */
export const toolsFolder = join(root, "test", "e2e", "deploy", "tools");

const loader = createRequire(join(toolsFolder, "package.json"));

/** One of those packages, of which the caller says what it needs. */
export const tool = (name: string): unknown => loader(name);

/** Where a module of those packages is. */
export const toolFile = (name: string): string => loader.resolve(name);
