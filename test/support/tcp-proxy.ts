/** A network between a client and a server that tests can disturb. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A proxy on loopback. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Milliseconds that every piece takes longer, each way. */
  latencyMs: number;
  /** Connections stay and are made, and nothing passes; what was swallowed is lost. */
  swallowing: boolean;
  /** New connections are reset at once. */
  refusing: boolean;
  /** Resets every connection. */
  resetAll(): void;
}

/** Starts a proxy to a port of this machine. */
export async function startTcpProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true).on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  };
  const pipe = (from: Socket, to: Socket) => {
    from.on("data", (piece) => {
      if (proxy.swallowing) return;
      const pass = () => {
        if (to.writable) to.write(piece);
      };
      if (proxy.latencyMs > 0) setTimeout(pass, proxy.latencyMs);
      else pass();
    });
    from.on("close", () => to.destroy());
  };
  const server = createServer((client) => {
    if (proxy.refusing) {
      client.on("error", () => undefined).resetAndDestroy();
      return;
    }
    const upstream = connect(target, "127.0.0.1");
    keep(client);
    keep(upstream);
    pipe(client, upstream);
    pipe(upstream, client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const resetAll = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    latencyMs: 0,
    swallowing: false,
    refusing: false,
    resetAll,
    [Symbol.asyncDispose]: async () => {
      resetAll();
      server.close();
      await once(server, "close");
    },
  };
  return proxy;
}
