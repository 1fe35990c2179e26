/** The documentation holds together: its links lead somewhere, its GraphQL is the schema's, its variables exist. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { buildSchema, Kind, parse, validate, type DocumentNode } from "graphql";
import { describeVariables } from "../../../src/config/variables";
import { errorCodes } from "../../../src/errors";
import { refusals } from "../../../src/server/http-refusal";

const root = join(__dirname, "..", "..", "..");
const under = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".md"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
const pages = [
  ...["README.md", "CHANGELOG.md", "SECURITY.md", "client/README.md", "emulator/README.md"],
  ...under("docs"),
  ...under("examples"),
];
const read = (page: string) => readFileSync(join(root, page), "utf8");
/** A page without its blocks of code. */
const prose = (page: string) => read(page).replace(/^( *)```[^]*?^\1```/gm, "");

/** The anchors of a page, as GitHub makes them: a heading that comes again gets a number. */
function anchorsOf(page: string): ReadonlySet<string> {
  const seen = new Map<string, number>();
  const anchors = new Set<string>();
  for (const [, heading = ""] of prose(page).matchAll(/^#{1,6} (.+)$/gm)) {
    const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const anchor = text.replace(/[^\p{L}\p{N}_\- ]/gu, "").replaceAll(" ", "-");
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    anchors.add(count === 0 ? anchor : `${anchor}-${count}`);
  }
  return anchors;
}

describe.each(pages)("%s", (page) => {
  it("has links that lead somewhere", () => {
    const links = [
      ...prose(page).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)|<img[^>]* src="(?!http)([^"]+)"/g),
    ];
    const broken = links
      .map(([, link, image]) => link ?? image ?? "")
      .filter((link) => {
        const [path = "", anchor] = link.split("#");
        const target = path === "" ? page : relative(root, resolve(root, dirname(page), path));
        try {
          const isFolder = path.endsWith("/") || !/\.\w+$/.test(path);
          if (path !== "" && isFolder) {
            readdirSync(join(root, target));
            return anchor !== undefined;
          }
          return anchor !== undefined ? !anchorsOf(target).has(anchor) : read(target) === "";
        } catch {
          return true;
        }
      });
    expect(broken).toEqual([]);
  });
});

it("has no page that no other links to", () => {
  const linked = new Set(
    pages.flatMap((page) =>
      [...prose(page).matchAll(/\]\(([^)#\s]+\.md)/g)].map(([, path = ""]) =>
        relative(root, resolve(root, dirname(page), path)),
      ),
    ),
  );
  expect(pages.filter((page) => page !== "README.md" && !linked.has(page))).toEqual([]);
});

it("has GraphQL that the schema knows", () => {
  const schema = buildSchema(read("schema.graphql"), { assumeValidSDL: true });
  for (const page of pages) {
    for (const [, text = ""] of read(page).matchAll(/^```graphql\n([^]*?)^```/gm)) {
      const document: DocumentNode = parse(text);
      const isOperation = document.definitions.some(({ kind }) => kind === Kind.OPERATION_DEFINITION);
      if (isOperation) expect([page, validate(schema, document)]).toEqual([page, []]);
    }
    for (const [, json = ""] of read(page).matchAll(/'(\{"query":.*?\})'/g)) {
      const { query } = JSON.parse(json.replace(/'\$\w+'/g, "x")) as { query: string };
      expect([page, validate(schema, parse(query))]).toEqual([page, []]);
    }
  }
});

it("names variables that exist", () => {
  const known = new Set([
    ...describeVariables().map(({ name }) => name),
    // The emulator's and the example's, which are no variables of the gateway.
    ...["EMULATOR_PORT", "EXAMPLE_PORT", "OIDC_PORT"],
  ]);
  const lookAlike =
    /\b(?:ACS|REDIS|TOKEN_ENCRYPTION|OIDC|API_KEYS|DIRECTORY|DATABASE|CALLER|ADDRESS|TLS|MAX|OPERATIONS?|TRUSTED|CORS|AUDIT|MIN)_[A-Z_]+\b/g;
  const codes = [...Object.keys(errorCodes), ...Object.keys(refusals)];
  // The last is the misspelling that a page warns of.
  const others = new Set([...codes, "OPERATION_RESOLUTION_FAILURE", "ACS_CONECTION_STRING"]);
  for (const page of pages.filter((each) => !each.startsWith("emulator/"))) {
    const unknown = [...read(page).matchAll(lookAlike)]
      .map(([name]) => name)
      .filter((name) => !known.has(name) && !others.has(name));
    expect([page, unknown]).toEqual([page, []]);
  }
});

it("has in the README every error code with its status", () => {
  const rows = [...read("README.md").matchAll(/^\| `([A-Z_]+)`\s*\| (\d{3})\s*\|/gm)];
  const told = Object.fromEntries(rows.map(([, name = "", status]) => [name, Number(status)]));
  const wanted = Object.entries(errorCodes).map(([name, { status }]) => [name, status] as const);
  expect(told).toEqual({
    ...Object.fromEntries(wanted),
    OPERATION_NOT_LISTED: refusals.OPERATION_NOT_LISTED.status,
    OPERATION_TIMEOUT: refusals.OPERATION_TIMEOUT.status,
  });
});
