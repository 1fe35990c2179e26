/** Runs before every test file: what the tests of this project need of their process. */
import "reflect-metadata";

// The Azure SDK sends even loopback requests through a proxy that the environment names.
for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]) {
  delete process.env[name];
  delete process.env[name.toLowerCase()];
}
process.env.NO_PROXY = "*";
