/** The licenses of what users get: the production packages of package-lock.json, and what the bundles of the pages hold. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import satisfies from "spdx-satisfies";
import { root } from "../project.mjs";

/** Licenses that ask for no more than their notice. */
const allowed = [
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "MPL-2.0",
  "Python-2.0",
];

/** What may not be given on, one sentence for each package of `[{ name, version, license }]`. */
export function licenseProblems(packages) {
  return packages.flatMap(({ name, version, license }) => {
    if (!license) return [`${name}@${version} names no license.`];
    return isAllowed(license) ? [] : [`${name}@${version} has the license ${license}, which is not allowed.`];
  });
}

function isAllowed(license) {
  try {
    return satisfies(license, allowed);
  } catch {
    // No SPDX expression: "SEE LICENSE IN …" may be anything.
    return false;
  }
}

/** All that users get: what they install with the package, and what is inside of it. */
export function givenOn() {
  const read = (path) => readFileSync(join(root, path), "utf8");
  return [
    ...productionPackages(JSON.parse(read("package-lock.json"))),
    ...["explorer", "status"].flatMap((page) =>
      bundledPackages(read(`dist/${page}/THIRD-PARTY-LICENSES.md`)),
    ),
  ];
}

/** Production packages by package-lock.json, optional and peer ones included. */
export function productionPackages(lock) {
  return Object.entries(lock.packages)
    .filter(([path, { dev, link }]) => path !== "" && !dev && !link)
    .map(([path, { name, version, license }]) => ({
      name: name ?? path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length),
      version,
      license,
    }));
}

/** The packages of the page of licenses that the bundler writes. */
export function bundledPackages(page) {
  return [...page.matchAll(/^## (\S+) - (\d\S*)(?: \((.+)\))?$/gm)].map(([, name, version, license]) => ({
    name,
    version,
    license,
  }));
}
