/** Tests run from TypeScript through SWC, which emits the decorator metadata that type-graphql reads. */
const swc = {
  sourceMaps: "inline",
  module: { type: "commonjs" },
  jsc: {
    target: "es2022",
    parser: { syntax: "typescript", decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    keepClassNames: true,
  },
};

/** @type {import("jest").Config} */
module.exports = {
  testEnvironment: "node",
  roots: ["<rootDir>/test"],
  testMatch: ["**/*.test.ts"],
  transform: {
    "^.+\\.ts$": ["@swc/jest", swc],
    // jose ships ES modules only; the OTLP exporter and PGlite use dynamic imports, which Jest cannot do by itself.
    "node_modules/(jose|@opentelemetry/otlp-exporter-base|@electric-sql/pglite)/.+\\.c?js$": [
      "@swc/jest",
      { ...swc, jsc: { target: "es2022" } },
    ],
  },
  transformIgnorePatterns: [
    "/node_modules/(?!jose/|@opentelemetry/otlp-exporter-base/|@electric-sql/pglite/)",
  ],
  testSequencer: "<rootDir>/scripts/lib/long-first-sequencer.mjs",
  setupFiles: ["<rootDir>/test/support/environment.ts"],
  testTimeout: 20_000,
  collectCoverageFrom: ["src/**/*.ts", "emulator/**/*.ts"],
};
