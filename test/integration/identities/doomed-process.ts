/** A process that creates an identity and stops at a step, to be killed there: `<url> <connection string> <redis url> <step>`. */
import { startReplica } from "./replica";

const [url = "", connectionString = "", redisUrl = "", step = ""] = process.argv.slice(3);
const never = new Promise<never>(() => undefined);
/** Something must keep a process alive that waits for nothing but promises. */
setInterval(() => undefined, 60_000);

function stopAt(reached: string): Promise<void> {
  if (reached !== step) return Promise.resolve();
  process.stdout.write(`at ${step}\n`);
  return never;
}

async function main(): Promise<void> {
  const { service } = await startReplica(
    { url, connectionString },
    {
      redisUrl,
      asleep: true,
      timings: { patienceMs: 1_000, untoldMs: 1_000 },
      layer: ({ journal, sweeper }) => {
        const stopping = Object.create(journal) as typeof journal;
        stopping.begin = async () => {
          const create = await journal.begin();
          await stopAt("begun");
          return create;
        };
        stopping.created = async (create, identityId) => {
          await journal.created(create, identityId);
          await stopAt("created");
        };
        return { journal: stopping, sweeper };
      },
    },
  );
  await service.create({}, { answered: never });
  await stopAt("answering");
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
