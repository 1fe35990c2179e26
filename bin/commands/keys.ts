/** `keys` and its subcommands: how they are called. */
import type { Command } from "commander";
import { Option } from "commander";
import { doneOrNot, explain, noEnvironment } from "../help";
import { durationMs } from "../keys/duration";
import type {
  ListKeysOptions,
  NewApiKeyOptions,
  NewEncryptionKeyOptions,
  RotateApiKeyOptions,
  RotateEncryptionOptions,
} from "../keys/keys";
import { stepOf } from "../keys/step";

const keyCommands = () => import("../keys/keys.ts");

export function addKeys(program: Command): void {
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
    .option(
      "--issuances-per-minute <number>",
      "calls to ACS that it may cause per minute; unlimited when left out",
    )
    .option("--file <file>", "add the entry to this API_KEYS_FILE, which is made if it is not there")
    .action(async (name: string, options: NewApiKeyOptions) =>
      (await keyCommands()).newApiKey(name, options),
    );
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
    .action(async (name: string, options: RotateApiKeyOptions) =>
      (await keyCommands()).rotateApiKey(name, options),
    );
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
    .action(async (options: NewEncryptionKeyOptions) => (await keyCommands()).newEncryptionKey(options));
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
    .action(async (options: RotateEncryptionOptions) => (await keyCommands()).rotateEncryption(options));
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
    .action(async (options: ListKeysOptions) => (await keyCommands()).listKeys(options));
  explain(command, {
    examples: [
      ["npx acs-token-gateway keys list", "the keys that a gateway with this environment has"],
      ["npx acs-token-gateway keys list --file api-keys.txt --json", "those of a file, for machines"],
    ],
    environment: "without --file: API_KEYS, API_KEYS_FILE, TOKEN_ENCRYPTION_KEYS, TOKEN_ENCRYPTION_KEYS_FILE",
    exitCodes: doneOrNot,
  });
}
