/** A process that enters an identity in an embedded directory and waits to be killed: `<folder>`. */
import { EmbeddedDatabase } from "../../../src/services/identities/directory/embedded-database";
import { IdentityDirectory } from "../../../src/services/identities/directory/identity-directory";

const [folder = ""] = process.argv.slice(3);
const owner = { issuer: "https://issuer.example", subject: "someone", device: "" };

async function main(): Promise<void> {
  const directory = new IdentityDirectory(new EmbeddedDatabase(folder), {
    directoryUnavailable: () => undefined,
    createOutcomeUnknown: () => undefined,
  });
  await directory.claim(owner, "claim", 30_000);
  await directory.activate(owner, "claim", "8:acs:00000000-0000-4000-8000-000000000000_kept");
  process.stdout.write("entered\n");
  setInterval(() => undefined, 60_000);
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
