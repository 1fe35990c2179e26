/** The software bill of materials: npm's CycloneDX of all that users get, judged by the schema of CycloneDX. */
import { createRequire } from "node:module";
import { npm } from "../install.mjs";
import { Problem } from "../project.mjs";
import { mustRun } from "../run.mjs";

/**
 * The bill of the package `name` with these packages, `[{ name, version }]`, as text. Made from package-lock.json alone:
 * the same on every platform. npm's own --omit=dev would leave out what a development package needs as well.
 */
export async function sbomOf(name, packages) {
  const args = ["sbom", "--package-lock-only", "--sbom-format=cyclonedx", "--sbom-type=application"];
  const { stdout } = await mustRun("npm sbom", ...npm(args), { stdio: ["ignore", "pipe", "pipe"] });
  const bill = JSON.parse(stdout);
  const wanted = new Set(packages.map((each) => `${each.name}@${each.version}`));
  const own = bill.metadata.component["bom-ref"];
  // npm takes the folder's name, which is the package's by chance only.
  bill.metadata.component.name = name;
  bill.components = bill.components.filter((component) => wanted.has(component["bom-ref"]));
  bill.dependencies = bill.dependencies
    .filter(({ ref }) => ref === own || wanted.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => wanted.has(each)) }));
  const named = new Set(bill.components.map((component) => component["bom-ref"]));
  const problems = [...wanted]
    .filter((each) => !named.has(each))
    .map((each) => `The bill of materials lacks ${each}.`);
  const text = `${JSON.stringify(bill, null, 2)}\n`;
  problems.push(...(await sbomProblems(text)));
  if (problems.length > 0) throw new Problem(problems.join("\n"));
  return text;
}

/** What the schema of CycloneDX, in the bill's own version and strictly, says against it. */
export async function sbomProblems(text) {
  const { Spec, Validation } = createRequire(import.meta.url)("@cyclonedx/cyclonedx-library");
  const { bomFormat, specVersion, components = [] } = JSON.parse(text);
  if (bomFormat !== "CycloneDX") return ["The bill of materials is not CycloneDX."];
  const errors = await new Validation.JsonStrictValidator(specVersion).validate(text);
  if (errors !== null && Spec.Version[`v${specVersion.replace(".", "dot")}`] === undefined)
    return [`CycloneDX has no version ${specVersion}.`];
  const found = (errors ?? []).map(
    ({ instancePath, message }) => `The bill of materials, ${instancePath}: ${message}.`,
  );
  if (components.length === 0) found.push("The bill of materials names no component.");
  return found;
}
