// Istio's validators over documents: `node istio.mjs NODE_MODULES < documents.json`. Prints a JSON list
// of faults. A custom resource's schema does not refuse unknown fields, it drops them. So each document
// is watched while it is validated: a field that no validator has looked at is one that Istio does not
// know.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [, , packages] = process.argv;
const documents = JSON.parse(readFileSync(0, "utf8"));
const faults = [];

// Everything below these is the author's, or Envoy's.
const FREE = /^(\/metadata|\/apiVersion|\/kind|\/spec\/pluginConfig|\/spec\/configPatches\/\d+\/patch\/value)(\/|$)/;

function watched(value, path, looked) {
  if (typeof value !== "object" || value === null) return value;
  return new Proxy(value, {
    get(target, name) {
      const own = typeof name === "string" && Object.hasOwn(target, name);
      if (!own || name === "length") return target[name];
      looked.add(`${path}/${name}`);
      return watched(target[name], `${path}/${name}`, looked);
    },
  });
}

function* fields(value, path) {
  if (typeof value !== "object" || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    yield `${path}/${name}`;
    yield* fields(inner, `${path}/${name}`);
  }
}

for (const document of documents) {
  const [group, version] = document.apiVersion.split("/");
  const words = [...group.split("."), version].map((word) => word[0].toUpperCase() + word.slice(1));
  const schema = `${words.join("")}${document.kind}`;
  const file = pathToFileURL(`${packages}/@kubernetes-models/istio/_schemas/${schema}.js`);
  const { validate } = await import(file);
  const name = `${document.kind} ${document.metadata.namespace}/${document.metadata.name}`;
  const looked = new Set();
  if (!validate(watched(document, "", looked))) {
    for (const error of validate.errors) faults.push(`${name}: ${error.instancePath}: ${error.keyword}`);
  }
  for (const field of fields(document, "")) {
    if (!looked.has(field) && !FREE.test(field)) faults.push(`${name}: ${field}: unknown`);
  }
}
console.log(JSON.stringify(faults));
