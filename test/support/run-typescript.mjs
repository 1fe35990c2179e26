/** Runs a TypeScript file of this project in a process of its own, compiled as the tests compile it: `<file> <arguments>`. */
import Module, { createRequire } from "node:module";
import { resolve } from "node:path";
import { transformFileSync } from "@swc/core";

const require = createRequire(import.meta.url);
const { transform } = require("../../jest.config.js");
const [, swc] = transform["^.+\\.ts$"];

Module._extensions[".ts"] = (module, file) => {
  module._compile(transformFileSync(file, { ...swc, swcrc: false, configFile: false }).code, file);
};
require(resolve(process.argv[2]));
