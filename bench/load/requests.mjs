/** The requests of a load: made before it begins, or a template with a number in it. */
import { Buffer } from "node:buffer";

/** One request a user, each with a bearer token of his. */
function userRequests({ path, body, credentials }) {
  const buffers = credentials.map((credential) => request(path, credential, body));
  return { count: buffers.length, at: (index) => buffers[index] };
}

/** Requests that have nothing in common but the path. */
function listedRequests({ path, list }) {
  const buffers = list.map(({ credential, body }) => request(path, credential, body));
  return { count: buffers.length, at: (index) => buffers[index] };
}

/**
 * Of one caller, for identities that differ in a number: no million of buffers has to be kept. Each place for a number
 * in the body takes the next one, so a request with ten is for ten identities.
 */
function numberedRequests({ path, body, credential, placeholder, count }) {
  const template = request(path, credential, body);
  const offsets = [];
  for (let at = template.indexOf(placeholder); at !== -1; at = template.indexOf(placeholder, at + 1))
    offsets.push(at);
  if (offsets.length === 0) throw new Error("The template has no place for the number.");
  return {
    count: Math.floor(count / offsets.length),
    at: (index) => {
      const copy = Buffer.from(template);
      offsets.forEach((offset, place) => {
        const text = (index * offsets.length + place).toString(16).padStart(placeholder.length, "0");
        copy.latin1Write(text, offset, placeholder.length);
      });
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

/** Whichever of them the options are for. */
export function requestsFrom(options) {
  if (options.list) return listedRequests(options);
  return options.placeholder === undefined ? userRequests(options) : numberedRequests(options);
}
