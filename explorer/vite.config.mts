/** Bundles the explorer from npm packages into dist/explorer, so that it needs no network but the gateway. */
import { defineConfig } from "vite";

export default defineConfig({
  base: "/explorer/",
  build: {
    outDir: "../dist/explorer",
    emptyOutDir: true,
    target: "es2022",
    // Nothing may be inlined that the page's content security policy would refuse.
    assetsInlineLimit: 0,
    // The editor and its JSON and GraphQL workers are large, and come from this machine.
    chunkSizeWarningLimit: 5_000,
    reportCompressedSize: false,
    // What is bundled is given on with the package, and its licenses ask for their text to come along.
    license: { fileName: "THIRD-PARTY-LICENSES.md" },
    rolldownOptions: {
      // The libraries say "use client" to frameworks that render on a server, which nothing here does.
      checks: { moduleLevelDirective: false },
    },
  },
  worker: { format: "es" },
});
