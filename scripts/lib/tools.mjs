/** Programs that tests and bench need beside Node: found, or installed as Debian packages, or the user is told how. */
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { Problem, say } from "./project.mjs";
import { run } from "./run.mjs";

const tools = [
  {
    title: "redis-server",
    variable: "REDIS_SERVER_PATH",
    names: ["redis-server", "valkey-server"],
    places: [],
    debianPackage: "redis-server",
    service: "redis-server",
  },
  {
    title: "PostgreSQL",
    variable: "POSTGRES_PATH",
    names: ["postgres"],
    // Debian keeps it off the PATH, in a folder for each version.
    folders: "/usr/lib/postgresql",
    places: [],
    debianPackage: "postgresql",
    service: "postgresql",
  },
  {
    title: "nginx",
    variable: "NGINX_PATH",
    names: ["nginx"],
    places: ["/usr/sbin/nginx"],
    debianPackage: "nginx",
    service: "nginx",
  },
  {
    title: "Chromium",
    variable: "CHROMIUM_PATH",
    names: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    places: [
      "/Applications/Chromium.app/Contents/MacOS/Chromium",
      "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ],
    debianPackage: "chromium",
  },
];

/**
 * Where tools are, as environment variables for whoever starts them. Throws a {@link Problem} when one cannot be had,
 * unless it must not be installed.
 * @param options.titles all tools when left out
 * @param options.install whether tools that are missing may be installed
 * @returns the environment, and the titles of those that are missing and must not be installed
 */
export async function ensureTools({ titles = tools.map(({ title }) => title), install: may = true } = {}) {
  const wanted = tools.filter(({ title }) => titles.includes(title));
  const missing = wanted.filter((tool) => !find(tool));
  if (missing.length > 0 && may) await install(missing);
  const expected = may ? wanted : wanted.filter((tool) => !missing.includes(tool));
  return {
    environment: Object.fromEntries(expected.map((tool) => [tool.variable, find(tool) ?? giveUp(tool)])),
    missing: may ? [] : missing.map(({ title }) => title),
  };
}

function find({ title, variable, names, places, folders: versions }) {
  const given = process.env[variable];
  if (given) {
    if (isExecutable(given)) return given;
    throw new Problem(
      `${variable} is ${given}, which is not an executable file. It must be that of ${title}.`,
    );
  }
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  return [
    ...names.flatMap((name) => folders.map((folder) => join(folder, name))),
    ...places,
    ...names.flatMap((name) => newestFirst(versions).map((folder) => join(folder, "bin", name))),
  ].find(isExecutable);
}

function newestFirst(folder) {
  if (folder === undefined || !existsSync(folder)) return [];
  return readdirSync(folder)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(folder, version));
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function install(missing) {
  const packages = missing.map((tool) => tool.debianPackage);
  const asRoot = await rootPrefix();
  if (!existsSync("/usr/bin/apt-get") || !asRoot) return;
  say(`Installing on this machine, with apt-get: ${packages.join(", ")}…`);
  const services = missing.flatMap((tool) => tool.service ?? []);
  const [program, ...args] = [
    ...asRoot,
    "sh",
    "-c",
    installation,
    "install",
    packages.join(" "),
    services.join(" "),
  ];
  const result = await run(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  if (result.code !== 0) say(`${result.stdout}${result.stderr}`.trim());
}

/** The tests start servers of their own, so a package's service is kept from starting, now and with the machine. */
const installation = `
set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  printf '#!/bin/sh\\nexit 101\\n' > $policy
  chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends $1
for service in $2; do
  if command -v systemctl > /dev/null; then systemctl disable "$service" 2> /dev/null || true; fi
done
`;

async function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  const answer = await run("sudo", ["-n", "true"], { stdio: "ignore" }).catch(() => ({ code: 1 }));
  return answer.code === 0 ? ["sudo", "-n"] : undefined;
}

function giveUp({ title, variable, names, debianPackage }) {
  throw new Problem(
    `This needs ${title}, and ${names.join(" or ")} is not on the PATH. ` +
      `Install it (Debian: sudo apt-get install ${debianPackage}), or set ${variable} to its executable file.`,
  );
}
