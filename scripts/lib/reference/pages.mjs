/** The generated pages: which there are, and what each is made of. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { buildSchema } from "graphql";
import { format, resolveConfig } from "prettier";
import { root } from "../project.mjs";
import { apiPage } from "./api.mjs";
import { configurationPage } from "./configuration.mjs";
import { errorsPage } from "./errors.mjs";
import { operationsPage } from "./metrics.mjs";

const require = createRequire(import.meta.url);

/** Each page's path and its text, by what is built and by this schema. */
export async function referencePages(sdl) {
  const built = (module) => require(join(root, "dist", "src", `${module}.js`));
  const schema = buildSchema(sdl, { assumeValidSDL: true });
  const { describeVariables } = built("config/variables");
  const { errorCodes } = built("errors");
  const { refusals } = built("server/http-refusal");
  const { metricDefinitions } = built("services/telemetry/metrics/definitions");
  const operations = readFileSync(join(root, "operations", "quickstart.graphql"), "utf8");
  const makers = {
    "docs/configuration.md": (page) => configurationPage(page, describeVariables()),
    "docs/operations.md": (page) => operationsPage(page, metricDefinitions),
    "docs/errors.md": (page) => errorsPage(page, { errorCodes, refusals, schema }),
    "docs/api.md": (page) => apiPage(page, { schema, operations }),
  };
  return Promise.all(
    Object.entries(makers).map(async ([path, make]) => {
      const file = join(root, path);
      const options = await resolveConfig(file);
      return [path, await format(make(readFileSync(file, "utf8")), { ...options, filepath: file })];
    }),
  );
}
