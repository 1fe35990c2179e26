/** Bundles the status page into dist/status. */
import { defineConfig } from "vite";

export default defineConfig({
  base: "/status/",
  build: {
    outDir: "../../dist/status",
    emptyOutDir: true,
    target: "es2022",
    // Nothing may be inlined that the page's content security policy would refuse.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // uPlot's license asks for its text to come along.
    license: { fileName: "THIRD-PARTY-LICENSES.md" },
  },
});
