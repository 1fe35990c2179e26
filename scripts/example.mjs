/** `npm run example`: the web example, with everything that it needs. Ctrl-C ends it. */
import { join } from "node:path";
import { ensureBuilt, examplePage, program } from "./lib/build.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { main, Problem } from "./lib/project.mjs";

await main(async () => {
  const ports = {
    page: port("EXAMPLE_PORT", 4030),
    oidc: port("OIDC_PORT", 4020),
    gateway: port("PORT", 4000),
    emulator: port("EMULATOR_PORT", 4010),
  };
  await ensureInstalled();
  await ensureBuilt();
  const { startExample } = await import(new URL("../examples/web/server/start.mjs", import.meta.url).href);
  const example = await startExample({ program, page: join(examplePage), ports }).catch((error) => {
    if (error.code !== "EADDRINUSE") throw new Problem(error.message);
    const variables = "EXAMPLE_PORT, OIDC_PORT, PORT or EMULATOR_PORT";
    throw new Problem(`Port ${error.port} is taken. Choose another with ${variables}.`);
  });
  process.stdout.write(
    [
      "",
      `  Page       ${example.page}`,
      `  Issuer     ${example.issuer}   (stands in for your own; development only)`,
      `  Gateway    ${example.endpoint}`,
      "",
      "  Ctrl-C ends it.",
      "",
      "",
    ].join("\n"),
  );
  const asked = new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, resolve);
  });
  await Promise.race([asked, example.ended]);
  await example.close();
});

function port(variable, otherwise) {
  const given = process.env[variable];
  if (given === undefined || given === "") return otherwise;
  if (/^\d{1,5}$/.test(given) && Number(given) < 65_536) return Number(given);
  throw new Problem(`${variable} must be a port from 0 to 65535, got ${given}.`);
}
