/** The requests of a load: made before it begins, or a template with a number in it. */
import { Buffer } from "node:buffer";

/** One request a user, each with a bearer token of his. */
export function userRequests({ path, body, credentials }) {
  const buffers = credentials.map((credential) => request(path, credential, body));
  return { count: buffers.length, at: (index) => buffers[index] };
}

/** Of one caller, for identities that differ in a number: no million of buffers has to be kept. */
export function numberedRequests({ path, body, credential, placeholder, count, digits }) {
  const template = request(path, credential, body);
  const offset = template.indexOf(placeholder);
  if (offset === -1) throw new Error("The template has no place for the number.");
  return {
    count,
    at: (index) => {
      const copy = Buffer.from(template);
      copy.latin1Write(index.toString(16).padStart(digits, "0"), offset, digits);
      return copy;
    },
  };
}

function request(path, credential, body) {
  const head = [
    `POST ${path} HTTP/1.1`,
    "host: 127.0.0.1",
    credential,
    "content-type: application/json",
    "accept: application/json",
    "user-agent: bench",
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
}
