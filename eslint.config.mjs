import js from "@eslint/js";
import regexp from "eslint-plugin-regexp";
import tseslint from "typescript-eslint";

/**
 * The walls between the rooms (docs/architecture.md). A door is a package that one file alone, or two, may import; a wall is
 * a direction in which no import may point. When two blocks match a file, the later one replaces the rule's options,
 * so each block states everything that its files must not import.
 */
const doors = [
  {
    name: "ioredis",
    file: "src/services/redis/redis-client.ts",
    probe: "src/services/redis/redis-probe.ts",
    message: "Only src/services/redis/redis-client.ts speaks to Redis, and redis-probe.ts for the doctor.",
  },
  {
    name: "@azure/communication-identity",
    file: "src/services/azure/acs-client.ts",
    message: "Only src/services/azure/acs-client.ts builds the SDK's client.",
  },
  {
    name: "@azure/identity",
    file: "src/services/azure/entra-credential.ts",
    message: "Only src/services/azure/entra-credential.ts loads Entra credentials.",
  },
  {
    name: "jose",
    file: "src/services/access/oidc-authenticator.ts",
    message: "Only oidc-authenticator.ts verifies JWTs.",
  },
  {
    name: "pino",
    file: "src/services/telemetry/logger.ts",
    message: "Only src/services/telemetry/logger.ts writes the log.",
  },
  {
    name: "sonic-boom",
    file: "src/services/telemetry/line-destination.ts",
    message: "Only src/services/telemetry/line-destination.ts writes lines to files and descriptors.",
  },
  {
    name: "prom-client",
    file: "src/services/telemetry/metrics/registry.ts",
    message: "Only src/services/telemetry/metrics/registry.ts keeps the metrics' registry.",
  },
  {
    name: "@azure/core-tracing",
    file: "src/services/azure/azure-tracing.ts",
    message: "Only src/services/azure/azure-tracing.ts traces the Azure SDK.",
  },
  ...["api", "resources"].map((name) => ({
    name: `@opentelemetry/${name}`,
    file: "src/services/telemetry/tracing-sdk.ts",
    message: "Only src/services/telemetry/tracing-sdk.ts makes spans, and it is loaded by those who trace.",
  })),
  {
    name: "@opentelemetry/sdk-trace-node",
    file: ["src/services/telemetry/tracing-sdk.ts", "src/services/telemetry/span-outlet.ts"],
    message: "Only src/services/telemetry/tracing-sdk.ts makes spans, and it is loaded by those who trace.",
  },
  ...["exporter-trace-otlp-http", "exporter-trace-otlp-proto"].map((name) => ({
    name: `@opentelemetry/${name}`,
    file: "src/services/telemetry/span-outlet.ts",
    message: "Only src/services/telemetry/span-outlet.ts sends spans.",
  })),
];

const walls = {
  programs: {
    regex: "(^|/)(emulator|client|test|bench|explorer|pages)/",
    message: "Programs share a protocol, not code.",
  },
  root: { regex: "/gateway(\\.js)?$", message: "Only main, bin and tests use the composition root." },
  resolvers: { regex: "^\\..*/resolvers/", message: "Services and schema never import resolvers." },
  schema: { regex: "^\\..*/schema/", message: "Services never import the schema." },
  server: { regex: "^\\..*/server/", message: "Only the composition root imports the server." },
  graphql: {
    regex: "^(graphql|type-graphql|graphql-scalars|@apollo/.*|dataloader)$",
    message: "Services know nothing of GraphQL.",
  },
  sdk: {
    regex: "/tracing-sdk(\\.\\w+)?$",
    message: "Load it as tracing.ts does: a gateway that does not trace must not pay for it.",
  },
  http: { regex: "^node:https?$", message: "Only src/server/ speaks HTTP." },
};

const imports = (files, patterns, open = []) => ({
  files,
  rules: {
    "no-restricted-imports": [
      "error",
      {
        patterns,
        paths: [
          ...doors.map(({ name, message }) => ({ name, message })),
          {
            name: "node:timers/promises",
            message: "Jest's fake timers do not reach it: use src/services/sleep.ts.",
          },
        ].filter(({ name }) => !open.includes(name)),
      },
    ],
  },
});

const inServices = [
  walls.programs,
  walls.root,
  walls.resolvers,
  walls.schema,
  walls.server,
  walls.graphql,
  walls.sdk,
  walls.http,
];

/** They own their agents, and make no request of their own with them. */
const withOwnConnections = new Set([
  "src/services/azure/acs-client.ts",
  "src/services/telemetry/span-outlet.ts",
]);
const inAzureRoom = inServices.filter((wall) => wall !== walls.http);

export default tseslint.config(
  { ignores: ["dist/", "coverage/", ".cache/", "**/generated/"] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ["*.mjs", "*.js", "scripts/*.mjs"] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      "@typescript-eslint/no-extraneous-class": ["error", { allowWithDecorator: true }],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      eqeqeq: "error",
      "no-console": "error",
    },
  },
  { files: ["**/*.mjs", "**/*.js"], ...tseslint.configs.disableTypeChecked },
  {
    files: ["**/*.mjs", "**/*.js"],
    languageOptions: {
      globals: {
        process: "readonly",
        console: "readonly",
        module: "writable",
        URL: "readonly",
        URLSearchParams: "readonly",
        fetch: "readonly",
        setTimeout: "readonly",
        clearTimeout: "readonly",
        AbortController: "readonly",
        AbortSignal: "readonly",
      },
    },
    rules: { "no-console": "off" },
  },
  {
    files: ["src/**/*.ts"],
    rules: {
      "no-restricted-properties": [
        "error",
        {
          object: "process",
          property: "env",
          message: "Only src/config/environment.ts reads the environment.",
        },
      ],
    },
  },
  { files: ["src/config/environment.ts"], rules: { "no-restricted-properties": "off" } },
  {
    // What comes from outside meets no pattern whose time grows faster than the text.
    files: ["src/**/*.ts", "emulator/**/*.ts", "bin/**/*.ts", "client/**/*.ts"],
    plugins: { regexp },
    rules: {
      "regexp/no-super-linear-backtracking": ["error", { report: "potential" }],
      "regexp/no-super-linear-move": "error",
    },
  },
  {
    // type-graphql's classes describe shapes: nobody constructs them, and their enums hold the services' own words.
    files: ["src/resolvers/**/*.ts"],
    rules: {
      "@typescript-eslint/no-unsafe-class-instance-assignment": "off",
      "@typescript-eslint/no-unsafe-enum-assignment": "off",
      "@typescript-eslint/no-misused-spread": "off",
    },
  },
  {
    files: ["src/services/**/*.ts"],
    ignores: ["src/services/clock.ts"],
    rules: {
      "no-restricted-syntax": [
        "error",
        {
          selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
          message: "The clock is a parameter: take a Clock.",
        },
        {
          selector: "NewExpression[callee.name='Date'][arguments.length=0]",
          message: "The clock is a parameter: take a Clock.",
        },
      ],
    },
  },
  imports(["src/**/*.ts"], [walls.programs]),
  imports(["src/*.ts"], [walls.programs], []),
  imports(["src/schema/**/*.ts"], [walls.programs, walls.root, walls.resolvers, walls.server]),
  imports(["src/resolvers/**/*.ts"], [walls.programs, walls.root, walls.server, walls.http]),
  imports(["src/server/**/*.ts"], [walls.programs, walls.root]),
  imports(["src/services/**/*.ts"], inServices),
  ...[...new Set(doors.flatMap(({ file, probe }) => (probe ? [file, probe].flat() : file)))].map((file) =>
    imports(
      [file],
      withOwnConnections.has(file) ? inAzureRoom : inServices,
      doors.filter((door) => [door.file, door.probe ?? []].flat().includes(file)).map(({ name }) => name),
    ),
  ),
  imports(["src/services/azure/preconnect.ts"], inAzureRoom),
  imports(
    ["emulator/**/*.ts"],
    [{ regex: "(^|/)(src|bin|client|test)/", message: "The emulator stands alone." }],
    ["node:timers/promises"],
  ),
  imports(["client/**/*.ts"], [{ regex: "^(?!\\./)", message: "The client has no dependency." }]),
  { files: ["bin/**/*.ts", "test/**/*.ts", "emulator/main.ts"], rules: { "no-console": "off" } },
  {
    files: ["test/**/*.ts"],
    rules: { "@typescript-eslint/no-non-null-assertion": "off", "no-restricted-imports": "off" },
  },
);
