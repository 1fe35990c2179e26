/** nginx as it comes from Debian, in front of a server, with a configuration of the test's own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endWithParent } from "./end-with-parent";
import { freePort } from "./free-port";
import { until } from "./until";

/** A running nginx. Disposing of it ends it. */
export interface Nginx extends AsyncDisposable {
  /** One for each of the locations that it was started with. */
  readonly ports: readonly number[];
}

/** Starts nginx with a server for each body of a `location /`; resolves when all of them listen. */
export async function startNginx(locations: readonly string[]): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), "acs-token-gateway-nginx-"));
  const ports = await Promise.all(locations.map(() => freePort()));
  const servers = locations.map(
    (location, index) => `server { listen 127.0.0.1:${ports[index] ?? 0}; location / { ${location} } }`,
  );
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  );
  writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off; master_process off; pid ${join(folder, "pid")}; error_log stderr;
events {}
http { access_log off; ${temporary.join(" ")} ${servers.join("\n")} }
`,
  );
  const file = process.env.NGINX_PATH ?? "/usr/sbin/nginx";
  const child = spawn(file, ["-p", folder, "-e", "stderr", "-c", join(folder, "nginx.conf")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  endWithParent(child);
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complaints += text));
  const ended = once(child, "close");
  await until(async () => (await Promise.all(ports.map(listens))).every(Boolean)).catch(() => {
    throw new Error(`nginx did not listen: ${complaints}`);
  });
  return {
    ports,
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
