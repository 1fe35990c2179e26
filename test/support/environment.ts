/** Runs before every test file: what the tests of this project need of their process. */
import "reflect-metadata";

// The Azure SDK sends even loopback requests through a proxy that the environment names.
delete process.env.HTTP_PROXY;
delete process.env.HTTPS_PROXY;
delete process.env.ALL_PROXY;
delete process.env.http_proxy;
delete process.env.https_proxy;
delete process.env.all_proxy;
process.env.NO_PROXY = "*";
