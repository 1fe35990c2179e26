/** Reads Kubernetes objects (a JSON array) from stdin, and prints for each what the schemas of its kind say of it. */
import { text } from "node:stream/consumers";

const results = [];
for (const object of JSON.parse(await text(process.stdin))) {
  results.push(await problemOf(object));
}
process.stdout.write(JSON.stringify(results));

async function problemOf(object) {
  const [group, version] = object.apiVersion.includes("/")
    ? object.apiVersion.split("/")
    : ["", object.apiVersion];
  const operator = group === "monitoring.coreos.com";
  const module = [operator ? "@kubernetes-models/prometheus-operator" : "kubernetes-models", group, version];
  try {
    const { [object.kind]: Kind } = await import(module.filter(Boolean).join("/"));
    if (!Kind) return `${object.apiVersion} has no kind ${object.kind}.`;
    new Kind(object).validate();
    return "";
  } catch (error) {
    return error.message;
  }
}
