/** A process that calls functions of the release's scripts, which are ES modules, for a test that is none. */
process.on("message", async ({ id, module, name, args }) => {
  try {
    const functions = await import(
      new URL(`../../../scripts/lib/release/${module}.mjs`, import.meta.url).href
    );
    process.send({ id, value: await functions[name](...args) });
  } catch (error) {
    process.send({ id, error: String(error) });
  }
});
