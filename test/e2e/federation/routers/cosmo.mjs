/** WunderGraph Cosmo's composition as a process: tells its parent what the subgraphs given as JSON (`[{ name, url, sdl }]`) make. */
import { federateSubgraphs, LATEST_ROUTER_COMPATIBILITY_VERSION } from "@wundergraph/composition";
import { parse, printSchema } from "graphql";

const subgraphs = JSON.parse(process.argv[2]).map(({ sdl, ...rest }) => ({
  ...rest,
  definitions: parse(sdl),
}));
const result = federateSubgraphs({ subgraphs, version: LATEST_ROUTER_COMPATIBILITY_VERSION });
process.send({
  errors: result.success ? [] : result.errors.map(({ message }) => message),
  warnings: result.warnings.map(({ message }) => message),
  schema: result.success ? printSchema(result.federatedGraphClientSchema) : "",
  fields: result.success ? result.fieldConfigurations : [],
});
