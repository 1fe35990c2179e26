/** Loaded into a server's process before its program: tells its parent what the process has used. */
process.on("message", (wish) => {
  if (wish === "collect") globalThis.gc();
  process.send({ heapBytes: process.memoryUsage().heapUsed, cpuMicroseconds: total(process.cpuUsage()) });
});
process.channel.unref();

function total({ user, system }) {
  return user + system;
}
