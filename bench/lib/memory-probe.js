/** Loaded into the gateway's process before the program: at SIGUSR2 it collects garbage and says what memory is held. */
process.on("SIGUSR2", () => {
  globalThis.gc();
  globalThis.gc();
  process.stdout.write(`MEMORY ${JSON.stringify(process.memoryUsage())}\n`);
});
