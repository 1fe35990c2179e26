/** The image's HEALTHCHECK: ends with 0 when the gateway in this container says that it is alive. */
import { get as getHttp } from "node:http";
import { get as getHttps } from "node:https";

// As the gateway reads them: without white space around, and an empty one is not set.
const set = (name) => process.env[name]?.trim() || undefined;
const [host = "0.0.0.0", port = "4000"] = [set("HOST"), set("PORT")];
const anywhere = ["0.0.0.0", "::"].includes(host);
const options = {
  host: anywhere ? "127.0.0.1" : host,
  port,
  path: "/health/live",
  timeout: 2_000,
  // It speaks to itself: the certificate has the name by which others know it.
  rejectUnauthorized: false,
};

const request = (set("TLS_CERT_FILE") ? getHttps : getHttp)(options, (response) => {
  response.resume();
  process.exitCode = response.statusCode === 200 ? 0 : 1;
});
request.on("timeout", () => request.destroy(new Error("It did not answer in 2 seconds.")));
request.on("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
