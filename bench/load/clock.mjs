/** Milliseconds on the machine's monotonic clock, the same in every thread of it. */
export function now() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}
