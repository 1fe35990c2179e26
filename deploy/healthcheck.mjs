/** The image's HEALTHCHECK: ends with 0 when the gateway in this container says that it is alive. */
import { get as getHttp } from "node:http";
import { get as getHttps } from "node:https";

const { HOST = "0.0.0.0", PORT = "4000", TLS_CERT_FILE } = process.env;
const anywhere = ["", "0.0.0.0", "::"].includes(HOST);
const options = {
  host: anywhere ? "127.0.0.1" : HOST,
  port: PORT,
  path: "/health/live",
  timeout: 2_000,
  // It speaks to itself: the certificate has the name by which others know it.
  rejectUnauthorized: false,
};

const request = (TLS_CERT_FILE ? getHttps : getHttp)(options, (response) => {
  response.resume();
  process.exitCode = response.statusCode === 200 ? 0 : 1;
});
request.on("timeout", () => request.destroy(new Error("It did not answer in 2 seconds.")));
request.on("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
