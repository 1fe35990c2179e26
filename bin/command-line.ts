/** The commands: what each is called, takes, and says of itself. What they do stands in the files beside this one. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import { help as emulatorHelp, main as emulator } from "../emulator/main";
import { packageRoot } from "../src/package-root";
import { checkConfiguration } from "./check";
import { defaultTimeoutSeconds, doctor, timeoutMs } from "./doctor";
import { doneOrNot, explain, explanationText, type Explanation } from "./help";
import { durationMs } from "./keys/duration";
import { listKeys, newApiKey, newEncryptionKey, rotateApiKey, rotateEncryption, stepOf } from "./keys/keys";
import { operations } from "./operations";
import { printSchema } from "./print-schema";
import { quickstart } from "./quickstart";
import { tellResourceIds } from "./resource-id";
import { start } from "./start";

const name = "acs-token-gateway";
const configuration = "the gateway's variables (docs/configuration.md)";
const noEnvironment = "nothing";

/** Commander's errors; a command that had another name once is told its name of now. */
function inWords(text: string): string {
  if (!text.startsWith("unknown command 'new-key'")) return text;
  return "new-key is now: keys new-api-key <name> --rights <rights>, and keys new-encryption-key.";
}

/** All commands. `start` is what runs without one; what is no command is told with the nearest name. */
export function createCommandLine(first?: string): Command {
  const { version, description } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as {
    version: string;
    description: string;
  };
  const program = new Command(name)
    .description(description)
    .version(version, "-V, --version", "the version")
    .helpCommand("help [command]", "the help of a command")
    .configureHelp({ helpWidth: 100 })
    .configureOutput({
      outputError: (text, write) => {
        write(
          `${name}: ${inWords(
            text
              .replace(/^error: /, "")
              .trimEnd()
              .replaceAll("\n", " "),
          )}\n`,
        );
      },
    });
  explain(program, {
    details: "Without a command it is start. `help <command>` and `<command> --help` tell more.",
    examples: [
      ["npx acs-token-gateway", "a gateway to develop with, and its own emulator of ACS Identity"],
      ["npx acs-token-gateway doctor", "what is wrong with an installation, and what to do"],
      ["npx acs-token-gateway help keys", "the help of a command"],
    ],
    environment: configuration,
    exitCodes: doneOrNot,
  });
  addStart(program, first);
  addQuickstart(program);
  addEmulator(program);
  addCheck(program);
  addResourceId(program);
  addDoctor(program);
  addKeys(program);
  addSchema(program);
  addOperations(program);
  return program;
}

function addStart(program: Command, first: string | undefined): void {
  const command = program
    // What begins with a word names a command: one that does not exist must not become an argument of `start`.
    .command("start", { isDefault: first === undefined || first.startsWith("-") })
    .description(
      "serve the gateway; outside production, with the emulator when no ACS resource is configured",
    )
    .action(start);
  explain(command, {
    details:
      "Says on stdout where it serves, writes its log to stderr, and serves until SIGINT or SIGTERM; then it finishes what is in flight. SIGHUP has it read its key files and its certificate at once.",
    examples: [
      ["npx acs-token-gateway start", "a gateway to develop with"],
      [
        "ACS_CONNECTION_STRING='endpoint=https://<resource>.communication.azure.com/;accesskey=…' npx acs-token-gateway start",
        "the same with a real resource",
      ],
    ],
    environment: `${configuration}; EMULATOR_PORT (default 4010): port of the emulator that it brings along`,
    exitCodes: {
      0: "it was asked to end, and has",
      1: "it could not start: stderr says in one message what to mend",
    },
  });
}

function addQuickstart(program: Command): void {
  const command = program
    .command("quickstart")
    .description("run the ACS access token quickstart against a running gateway")
    .option("--url <url>", "the gateway's GraphQL endpoint", "http://127.0.0.1:4000/graphql")
    .option("--api-key <key>", "the API key; otherwise API_KEY or DEVELOPMENT_API_KEY of the environment")
    .option(
      "--emulator <url>",
      "ask this emulator whether revoked tokens are dead; found by itself on its default port",
    )
    .action(quickstart);
  explain(command, {
    details:
      "Creates two identities, issues, refreshes and revokes tokens, and deletes the identities again.",
    examples: [
      ["npx acs-token-gateway quickstart --api-key <key>", "against `npm start` on this machine"],
      [
        "API_KEY=<key> npx acs-token-gateway quickstart --url https://gateway.example.com/graphql",
        "against another gateway, with a key that nobody sees in the process list",
      ],
    ],
    environment:
      "API_KEY or DEVELOPMENT_API_KEY: the key; EMULATOR_PORT (default 4010): where the emulator is",
    exitCodes: { 0: "every step did what it should", 1: "a step did not, or no gateway answers" },
  });
}

function addEmulator(program: Command): void {
  const command = program
    .command("emulator")
    .description("serve the ACS Identity emulator alone; --help tells its options")
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (_options, { args }: Command) => {
      process.exitCode = await emulator(args, process.env);
    });
  // Its options are its own program's, which has no other help.
  command.configureHelp({ formatHelp: () => emulatorHelp });
  explain(command, emulatorExplanation);
}

const emulatorExplanation: Explanation = {
  examples: [
    ["npx acs-token-gateway emulator", "an emulator on port 4010, forgotten when it ends"],
    ["npx acs-token-gateway emulator --tls --state identities.json", "over TLS too, with a memory"],
  ],
  environment: "EMULATOR_PORT (default 4010)",
  exitCodes: {
    0: "it was asked to end, and has; or the audit passed",
    1: "it could not start; or the audit failed",
  },
};

function addCheck(program: Command): void {
  const command = program
    .command("check")
    .description("check the configuration and show what is in effect")
    .action(checkConfiguration);
  explain(command, {
    details:
      "Reads the environment as `start` would and asks nobody. Secrets are shown as fingerprints. `doctor` goes further.",
    examples: [["npx acs-token-gateway check", "the configuration in effect, as JSON on stdout"]],
    environment: configuration,
    exitCodes: { 0: "a gateway would take it", 1: "it would not: stderr lists everything that is wrong" },
  });
}

function addResourceId(program: Command): void {
  const command = program
    .command("resource-id")
    .description(
      "ask the ACS resources for their immutable ids; each makes an identity for it and deletes it",
    )
    .action(tellResourceIds);
  explain(command, {
    details:
      "A gateway with several resources must be told which identities are whose: put what this prints after each of them.",
    examples: [
      [
        "ACS_CONNECTION_STRING='endpoint=…;accesskey=…, endpoint=…;accesskey=…' npx acs-token-gateway resource-id",
        "a line for each resource: its host, and resource-id=<GUID>",
      ],
    ],
    environment: "ACS_CONNECTION_STRING, ACS_ENDPOINT: the resources; other variables as for start",
    exitCodes: {
      0: "every resource has told its id",
      1: "one could not be asked: stderr says which and why",
    },
  });
}

function addDoctor(program: Command): void {
  const command = program
    .command("doctor")
    .description("check the whole installation and say what to mend")
    .addOption(
      new Option("--timeout <seconds>", "the longest that a check may take, in seconds, 1 to 120")
        .default(defaultTimeoutSeconds * 1000, String(defaultTimeoutSeconds))
        .argParser(timeoutMs),
    )
    .option("--json", "print JSON for machines")
    .action(doctor);
  explain(command, {
    details:
      "Looks at the configuration, secret files, certificate, Redis, the directory of identities, Azure's answer to the credential, issuers, the port and this machine's limits. Changes nothing that stays, and prints no secret.",
    examples: [
      ["npx acs-token-gateway doctor", "each finding with what was seen and what to do"],
      [
        "npx acs-token-gateway doctor --json | jq '.findings[] | select(.status != \"ok\")'",
        "what is not ok",
      ],
    ],
    environment: `${configuration}; HTTPS_PROXY and NO_PROXY, as the gateway itself`,
    exitCodes: { 0: "nothing is a problem; there may be warnings", 1: "there are problems" },
  });
}

function addKeys(program: Command): void {
  const keys = program.command("keys").description("make, list and rotate API keys and encryption keys");
  explain(keys, {
    details:
      "Files are changed as a whole: the new text is checked as the gateway would, written aside and renamed, with the old one's mode, comments kept. Running gateways read them within five seconds.",
    examples: [
      ["npx acs-token-gateway keys help rotate-encryption", "the help of one of them"],
      ["npx acs-token-gateway keys list --file api-keys.txt", "who may call, and until when"],
    ],
    environment: noEnvironment,
    exitCodes: doneOrNot,
  });
  addNewApiKey(keys);
  addRotateApiKey(keys);
  addNewEncryptionKey(keys);
  addRotateEncryption(keys);
  addListKeys(keys);
}

const expiresOption = [
  "--expires <time>",
  "when it ends, such as 2027-06-30 or 2027-06-30T18:00Z; never when left out",
] as const;

function addNewApiKey(keys: Command): void {
  const command = keys
    .command("new-api-key <name>")
    .description("make an API key and its entry for API_KEYS or API_KEYS_FILE")
    .requiredOption("--rights <rights>", "what it may do: rights joined by +, or all")
    .option("--scopes <scopes>", "the scopes that its tokens may have, joined by +; all when left out")
    .option(...expiresOption)
    .option("--requests-per-minute <number>", "a limit of its own, requests per minute; none when left out")
    .option("--file <file>", "add the entry to this API_KEYS_FILE, which is made if it is not there")
    .action(newApiKey);
  explain(command, {
    details: "The key itself is shown this once. The entry has its SHA-256 alone, and lets nobody in.",
    examples: [
      [
        "npx acs-token-gateway keys new-api-key my-backend --rights token:issue:any+token:revoke:any",
        "a key and its entry",
      ],
      [
        "npx acs-token-gateway keys new-api-key my-backend --rights all --expires 2027-06-30 --file api-keys.txt",
        "the same, and running gateways take it within five seconds",
      ],
    ],
    environment: noEnvironment,
    exitCodes: doneOrNot,
  });
}

function addRotateApiKey(keys: Command): void {
  const command = keys
    .command("rotate-api-key <name>")
    .description("give a caller a new key, and the old one an end")
    .requiredOption("--file <file>", "the API_KEYS_FILE")
    .addOption(
      new Option("--overlap <duration>", "how long both are good: a number and s, m, h or d")
        .default(7 * 24 * 3_600_000, "7d")
        .argParser(durationMs),
    )
    .option(...expiresOption)
    .action(rotateApiKey);
  explain(command, {
    details:
      "The new key has the rights, scopes and limit of the newest one. Old keys keep an earlier end, if they have one; entries that had expired are dropped.",
    examples: [
      [
        "npx acs-token-gateway keys rotate-api-key my-backend --file api-keys.txt",
        "a new key, while the old one is good for another week",
      ],
      [
        "npx acs-token-gateway keys rotate-api-key my-backend --file api-keys.txt --overlap 0s",
        "the old key has leaked: it ends within a minute",
      ],
    ],
    environment: noEnvironment,
    exitCodes: doneOrNot,
  });
}

function addNewEncryptionKey(keys: Command): void {
  const command = keys
    .command("new-encryption-key")
    .description("make a key for TOKEN_ENCRYPTION_KEYS, or a new TOKEN_ENCRYPTION_KEYS_FILE")
    .option("--file <file>", "make this file with it, instead of printing it")
    .action(newEncryptionKey);
  explain(command, {
    examples: [
      ["npx acs-token-gateway keys new-encryption-key", "an entry to put into a vault"],
      ["npx acs-token-gateway keys new-encryption-key --file encryption-keys.txt", "a file with mode 0600"],
    ],
    environment: noEnvironment,
    exitCodes: doneOrNot,
  });
}

function addRotateEncryption(keys: Command): void {
  const command = keys
    .command("rotate-encryption")
    .description("take the next step in changing the key that seals the cache")
    .requiredOption("--file <file>", "the TOKEN_ENCRYPTION_KEYS_FILE")
    .addOption(
      new Option("--step <step>", "add, promote or retire; the one that is due when left out").argParser(
        stepOf,
      ),
    )
    .addOption(
      new Option(
        "--settle <duration>",
        "how long until every gateway has read the file: a number and s, m, h or d",
      )
        .default(120_000, "2m")
        .argParser(durationMs),
    )
    .option("--force", "do not wait: for a key that has leaked", false)
    .action(rotateEncryption);
  explain(command, {
    details:
      "add puts a new key at the end, so that every gateway can open what it will seal. promote makes it the first, which seals. retire drops the old one when nothing is left that it sealed, 24 hours later. Notes beside the keys in the file say what is due, so this can be run again and again, by a timer too: what comes too early is not done, and said.",
    examples: [
      ["npx acs-token-gateway keys rotate-encryption --file encryption-keys.txt", "the step that is due"],
      [
        "npx acs-token-gateway keys rotate-encryption --file encryption-keys.txt --step retire --force",
        "the old key has leaked: what it sealed is issued anew",
      ],
    ],
    environment: noEnvironment,
    exitCodes: {
      0: "done; or, without --step, nothing is due yet",
      1: "not done: the --step comes too early or makes no sense, or the file cannot be changed",
    },
  });
}

function addListKeys(keys: Command): void {
  const command = keys
    .command("list")
    .description("list keys: names, rights, ends and fingerprints, no secrets")
    .option(
      "--file <file>",
      "a file of API keys or of encryption keys; those of the environment when left out",
    )
    .option("--json", "print JSON for machines")
    .action(listKeys);
  explain(command, {
    examples: [
      ["npx acs-token-gateway keys list", "the keys that a gateway with this environment has"],
      ["npx acs-token-gateway keys list --file api-keys.txt --json", "those of a file, for machines"],
    ],
    environment: "without --file: API_KEYS, API_KEYS_FILE, TOKEN_ENCRYPTION_KEYS, TOKEN_ENCRYPTION_KEYS_FILE",
    exitCodes: doneOrNot,
  });
}

function addSchema(program: Command): void {
  const command = program
    .command("schema")
    .description("print the GraphQL schema")
    .option(
      "--no-access-directives",
      "leave out @authenticated and @requiresScopes, which some routers refuse",
    )
    .action(printSchema);
  explain(command, {
    details: "The SDL of the Federation 2 subgraph, on stdout. No configuration is needed.",
    examples: [["npx acs-token-gateway schema > acs.graphql", "the subgraph for a router's composition"]],
    environment: noEnvironment,
    exitCodes: doneOrNot,
  });
}

function addOperations(program: Command): void {
  const command = program
    .command("operations <documents...>")
    .description("make an operation list from clients' documents: files, folders or patterns")
    .option("--out <file>", "write it there instead of to stdout")
    .action(operations);
  explain(command, {
    details:
      "The list is Apollo's persisted query manifest, for OPERATIONS_FILE. The same operations give the same list.",
    examples: [
      [
        "npx acs-token-gateway operations 'app/**/*.graphql' --out operations.json",
        "the list of an app's operations",
      ],
    ],
    environment: noEnvironment,
    exitCodes: doneOrNot,
  });
}

/** All commands that do something, with their full names, in the order of the help. */
export function everyCommand(
  program: Command,
): readonly { readonly path: string; readonly command: Command }[] {
  const under = (command: Command, path: string): { path: string; command: Command }[] =>
    command.commands.flatMap((each) => {
      const full = `${path}${each.name()}`;
      return [{ path: full, command: each }, ...under(each, `${full} `)];
    });
  return under(program, "");
}

/** What `--help` prints of a command. */
export function helpText(command: Command, explanation: Explanation | undefined): string {
  const text = command.helpInformation().trimEnd();
  return explanation ? `${text}\n\n${explanationText(explanation)}\n` : `${text}\n`;
}
