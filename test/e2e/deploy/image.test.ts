/** The container image: the Dockerfile is sound, its steps work, and what they leave runs as the image says. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { startEmulator } from "../../../emulator/emulator";
import { makeCertificates } from "../../../emulator/tls";
import { CreateIdentityDocument, IssueTokenDocument } from "../../../operations/generated/operations";
import { hashApiKey } from "../../../src/services/access/api-key";
import { announced, Program, runProgram } from "../../support/program";
import { GraphqlClient } from "../../support/graphql-client";
import { freePort } from "../../support/free-port";
import { startRedis } from "../../support/redis-server";
import { openToAll, placed, simulateBuild, type Stage } from "./support/image-build";
import { root, tool } from "./support/tools";

const dockerfile = join(root, "deploy", "Dockerfile");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };

const lint = (text: string): string[] => {
  const { validate } = tool("dockerfile-utils") as { validate: (text: string) => { message: string }[] };
  return validate(text).map(({ message }) => message);
};

describe("the Dockerfile", () => {
  const text = readFileSync(dockerfile, "utf8");

  it("pleases the linter", () => {
    expect(lint(text)).toEqual([]);
  });

  it.each([
    ["USER 65532:65532", "USERS 65532", "Unknown instruction: USERS"],
    ["--interval=10s", "--intervall=10s", "Unknown flag: intervall"],
    ["EXPOSE 4000", "EXPOSE http", "Invalid containerPort: http"],
    ["--from=build /app/dist", "--from=bild", "COPY requires at least two arguments"],
  ])("would not please it with a mistake in %s", (right, wrong, message) => {
    expect(text).toContain(right);
    expect(lint(text.replace(right, wrong)).join("\n")).toMatch(
      new RegExp(message.replace("two", "(two|2)"), "i"),
    );
  });

  it("names the version of Node.js to the last digit", () => {
    expect(text).toMatch(/^ARG NODE_VERSION=24\.\d+\.\d+$/m);
    const bases = [...text.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
    expect(bases).toEqual([
      "node:${NODE_VERSION}-trixie-slim",
      "node:${NODE_VERSION}-trixie-slim",
      "gcr.io/distroless/cc-debian13:nonroot",
    ]);
  });
});

describe("the image", () => {
  let folder: string;
  let image: Stage;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "acs-token-gateway-image-"));
    await openToAll(folder);
    image = await simulateBuild(dockerfile, root, folder);
  }, 600_000);
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  const filesIn = async (path: string) =>
    (await readdir(placed(image, path), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(image.root.length));

  it("has the gateway and the packages that it runs on, and nothing else", async () => {
    expect((await readdir(placed(image, "/app"))).sort()).toEqual(
      [
        "LICENSE",
        "dist",
        "healthcheck.mjs",
        "node_modules",
        "operations",
        "package.json",
        "schema.graphql",
      ].sort(),
    );
    expect(await readdir(placed(image, "/usr/local/bin"))).toEqual(["node"]);
    const built = ["bin", "emulator", "explorer", "operations", "src", "status"];
    expect((await readdir(placed(image, "/app/dist"))).sort()).toEqual(built);
    const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      devDependencies: object;
    };
    const packages = new Set(await readdir(placed(image, "/app/node_modules")));
    const forDevelopment = ["typescript", "jest", "vite", "eslint", "prettier", "react"];
    expect(Object.keys(devDependencies)).toEqual(expect.arrayContaining(forDevelopment));
    expect(forDevelopment.filter((name) => packages.has(name))).toEqual([]);
    expect(packages.has("npm")).toBe(false);
  });

  it("has no file that only compilers and debuggers read, and is small", async () => {
    const files = await filesIn("/app");
    expect(
      files.filter((path) => /\.(map|d\.ts|d\.mts|tsbuildinfo)$/.test(path) && path.includes("node_modules")),
    ).toEqual([]);
    expect(files.filter((path) => /(^|\/)\.env|\.pem$|\.key$/.test(path))).toEqual([]);
    const sizes = await Promise.all(files.map(async (path) => (await stat(join(image.root, path))).size));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(130_000_000);
  });

  it("is not root's, and says so in numbers", () => {
    expect(image.user).toBe("65532:65532");
    expect(image.env).toEqual({ NODE_ENV: "production" });
    expect(image.ports).toEqual(["4000"]);
    expect(image.labels).toMatchObject({
      "org.opencontainers.image.title": "acs-token-gateway",
      "org.opencontainers.image.licenses": "MIT",
      "org.opencontainers.image.version": version,
    });
    // Lists, not lines for a shell: Node.js is process 1 and gets the signals.
    expect(image.entrypoint.map((each) => each[0])).toEqual(["/", "/"]);
    expect(image.healthcheck).toHaveLength(2);
  });

  /** A command of the image as a process of this machine: as the image's user if this one may, in a tree that is root's. */
  const programOf = (words: readonly string[], environment: Readonly<Record<string, string>>) => {
    const [file = "", ...args] = words.map((word) => (word.startsWith("/") ? placed(image, word) : word));
    return {
      file,
      args,
      cwd: placed(image, "."),
      environment: { ...image.env, ...environment },
      ...(process.getuid?.() === 0 ? { user: Number(image.user.split(":")[0]) } : {}),
    };
  };

  it("starts in production, is healthy, issues a token and ends on SIGTERM", async () => {
    const accessKey = Buffer.from("the key of a resource that only this test knows").toString("base64");
    await using emulator = await startEmulator({
      tls: true,
      resources: [
        { id: "5a4ff0ad-0000-4000-8000-000000000001", primaryKey: accessKey, secondaryKey: accessKey },
      ],
    });
    await using redis = await startRedis();
    const ca = join(folder, "ca.pem");
    await writeFile(ca, emulator.https?.ca ?? "", { mode: 0o444 });
    const [port, apiKey] = [String(await freePort()), "a key that only this test knows"];
    const place = { HOST: "127.0.0.1", PORT: port };
    await using program = new Program(
      programOf([...image.entrypoint, ...image.command], {
        ...place,
        ACS_CONNECTION_STRING: emulator.https?.connectionString ?? "",
        NODE_EXTRA_CA_CERTS: ca,
        REDIS_URL: redis.url,
        TOKEN_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString("base64")}`,
        API_KEYS: `backend:${hashApiKey(apiKey).toString("hex")} rights=identity:create+token:issue:any`,
      }),
    );
    const { origin, url } = await announced(program);
    const ready = await fetch(`${origin}/health/ready`);
    expect([ready.status, await ready.json()]).toMatchObject([
      200,
      { status: "ready", parts: { redis: { state: "ok" } } },
    ]);
    const health = () => runProgram(programOf(image.healthcheck, place));
    expect(await health()).toMatchObject({ code: 0, stderr: "" });

    const client = new GraphqlClient(url, { "x-api-key": apiKey });
    const identityId = (await client.data(CreateIdentityDocument)).createIdentity.identity.id;
    const issue = async () =>
      (await client.data(IssueTokenDocument, { identityId, scopes: ["CHAT"] })).issueToken.accessToken.source;
    expect([await issue(), await issue()]).toEqual(["ISSUED", "CACHE"]);

    expect(await program.end("SIGTERM")).toMatchObject({ code: 0, signal: null });
    expect((await health()).code).toBe(1);
  }, 60_000);

  it("prints its version and refuses to start without a resource, in words", async () => {
    const [node = "", file = ""] = image.entrypoint;
    expect(await runProgram(programOf([node, file, "--version"], {}))).toMatchObject({
      code: 0,
      stdout: `${version}\n`,
    });
    const refused = await runProgram(programOf([...image.entrypoint, ...image.command], {}));
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("ACS_CONNECTION_STRING or ACS_ENDPOINT must be set");
  });

  it("asks over TLS when the gateway serves TLS", async () => {
    const { cert, key } = await makeCertificates("gateway.example.com");
    const files = { TLS_CERT_FILE: join(folder, "tls.crt"), TLS_KEY_FILE: join(folder, "tls.key") };
    await writeFile(files.TLS_CERT_FILE, cert, { mode: 0o444 });
    await writeFile(files.TLS_KEY_FILE, key, { mode: 0o444 });
    const place = { HOST: "0.0.0.0", PORT: String(await freePort()), EXPLORER: "false", ...files };
    await using program = new Program(
      programOf([...image.entrypoint, ...image.command], {
        ...place,
        NODE_ENV: "development",
      }),
    );
    await announced(program);
    expect(await runProgram(programOf(image.healthcheck, place))).toMatchObject({ code: 0, stderr: "" });
  }, 30_000);
});

it("gives the builder no secret and no other file than it needs", async () => {
  const { stdout } = await promisify(execFile)("git", ["check-ignore", "deploy/secrets/api-key"], {
    cwd: root,
  });
  expect(stdout).toBe("deploy/secrets/api-key\n");
});
