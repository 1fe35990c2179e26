/** Folders for embedded directories whose database is made already: making one takes six times as long as opening it. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const engine = require.resolve("@electric-sql/pglite");
const { version } = JSON.parse(readFileSync(join(dirname(engine), "..", "package.json"), "utf8")) as {
  version: string;
};
/** Kept from run to run: an empty database of this version of the engine. */
const template = join(__dirname, "..", "..", ".cache", `directory-${version}`);
/** In a process of its own, because the engine loads modules in a way that Jest does not know. */
const make = `require(process.argv[1]).PGlite.create(process.argv[2]).then((database) => database.close());`;

export interface DirectoryFolder extends AsyncDisposable {
  /** DIRECTORY_PATH. */
  readonly path: string;
}

/** A folder with an empty database, removed when disposed of. */
export async function makeDirectoryFolder(): Promise<DirectoryFolder> {
  if (!existsSync(template)) await makeTemplate();
  const path = await mkdtemp(join(tmpdir(), "acs-token-gateway-directory-"));
  await cp(template, path, { recursive: true });
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Complete from the moment that it is there; several workers may make it at once, and the first wins. */
async function makeTemplate(): Promise<void> {
  const made = `${template}.${process.pid}`;
  await mkdir(made, { recursive: true });
  await promisify(execFile)(process.execPath, ["-e", make, engine, join(made, "directory")]);
  await rename(made, template).catch(() => rm(made, { recursive: true, force: true }));
}
