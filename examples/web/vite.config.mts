/** Builds the page into one folder that any web server can serve. */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

export default defineConfig({
  build: {
    outDir: "../../.cache/example-web",
    emptyOutDir: true,
    target: "es2022",
    // Nothing may be inlined that the page's content security policy would refuse.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    modulePreload: { polyfill: false },
  },
  resolve: {
    // In your app this is the package from npm.
    alias: { "acs-token-gateway/client": fileURLToPath(new URL("../../client/index.ts", import.meta.url)) },
  },
});
