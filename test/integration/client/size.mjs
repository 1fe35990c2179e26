/** Prints how many bytes the client has when an app bundles, minifies and compresses it. */
import { gzipSync } from "node:zlib";
import { build } from "vite";

const entry = new URL("../../../dist/client/esm/index.js", import.meta.url).pathname;
const [result] = [
  await build({
    configFile: false,
    logLevel: "silent",
    build: {
      lib: { entry, formats: ["iife"], name: "client" },
      minify: true,
      write: false,
      target: "es2020",
    },
  }),
].flat();
console.log(gzipSync(result.output[0].code, { level: 9 }).length);
