/** CHANGELOG.md in the form of Keep a Changelog: its versions, what is wrong with them, and the notes of one. */

/** The kinds of change that Keep a Changelog names. */
const kinds = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];

const semanticVersion = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?$/;

/** The sections in their order: `{ version, date, body }`. Of changes not yet in a version, `version` is "Unreleased". */
export function sectionsOf(changelog) {
  const parts = changelog.split(/^## /m).slice(1);
  return parts.map((part) => {
    const [heading, ...lines] = part.split("\n");
    const [, version = heading, date] = /^\[([^\]]+)\](?: - (\S+))?$/.exec(heading.trim()) ?? [];
    return { version, date, body: lines.join("\n").trim() };
  });
}

/**
 * What is wrong with a changelog beside a package's version, one sentence each. The version that is being prepared may
 * have "unreleased" for its date; not so when it is `released`.
 */
export function changelogProblems(changelog, version, { released = false } = {}) {
  const [first, ...versions] = sectionsOf(changelog);
  const problems = [];
  if (first?.version !== "Unreleased" || first.date !== undefined)
    problems.push('The first section must be "## [Unreleased]".');
  if (versions[0]?.version !== version)
    problems.push(
      `The newest version is ${versions[0]?.version ?? "none"}; package.json says ${version}. They must be the same.`,
    );
  for (const [index, section] of versions.entries()) {
    const pending = index === 0 && !released && section.date === "unreleased";
    if (!semanticVersion.test(section.version)) problems.push(`${section.version} is no semantic version.`);
    else if (!pending && !isDate(section.date))
      problems.push(`${section.version} needs the date of its release, such as "- 2026-01-31".`);
    if (section.body === "") problems.push(`${section.version} says nothing.`);
    const older = versions[index + 1];
    if (older && compare(section.version, older.version) <= 0)
      problems.push(`${section.version} stands before ${older.version}, which is not older.`);
  }
  for (const { version: name, body } of [first, ...versions]) {
    const wrong = [...body.matchAll(/^### (.+)$/gm)]
      .map(([, kind]) => kind)
      .filter((kind) => !kinds.includes(kind));
    for (const kind of wrong) problems.push(`${name} has "${kind}", which is none of: ${kinds.join(", ")}.`);
  }
  return problems;
}

/** What a release page says of a version; undefined when the changelog does not have it. */
export function notesOf(changelog, version) {
  return sectionsOf(changelog).find((section) => section.version === version)?.body;
}

function isDate(text) {
  return /^\d{4}-\d\d-\d\d$/.test(text ?? "") && new Date(text).toISOString().startsWith(text);
}

/** Which of two versions is older (negative: the first). A pre-release is older than its release. */
export function compare(one, other) {
  const [a, b] = [one, other].map((version) => semanticVersion.exec(version) ?? []);
  for (const place of [1, 2, 3]) if (a[place] !== b[place]) return Number(a[place]) - Number(b[place]);
  if (a[4] === b[4]) return 0;
  if (a[4] === undefined || b[4] === undefined) return a[4] === undefined ? 1 : -1;
  return a[4].localeCompare(b[4], "en", { numeric: true });
}

/** Whether the step from one version to the next may break users: a major one, and before 1.0 a minor one. */
export function mayBreak(from, to) {
  const [a, b] = [from, to].map((version) => version.split(/[.-]/).map(Number));
  return b[0] > a[0] || (a[0] === 0 && b[0] === 0 && b[1] > a[1]);
}
