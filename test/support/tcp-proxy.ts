/** A network between a client and a server that tests can disturb. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";

/** A proxy on loopback. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Milliseconds that every piece takes longer, each way; none overtakes another. */
  latencyMs: number;
  /**
   * Connections stay and are made, and nothing passes. What was swallowed is lost, and with it whatever follows in its
   * direction of that connection: TCP delivers no stream that has a gap.
   */
  swallowing: boolean;
  /** Open connections on which a client has said this hear nothing more from the server. */
  deafen(said: RegExp): void;
  /** Told of every piece from a client, before it goes on. */
  onPiece?: (piece: Buffer) => void;
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
  const links = new Set<{ said: string; deaf: boolean }>();
  const pipe = (from: Socket, to: Socket, link: { said: string; deaf: boolean }, observed: boolean) => {
    let torn = false;
    let before = Promise.resolve();
    from.on("data", (piece) => {
      if (observed) {
        proxy.onPiece?.(piece);
        link.said = (link.said + piece.toString("latin1")).slice(-10_000);
      }
      torn ||= proxy.swallowing || (link.deaf && !observed);
      if (torn) return;
      const delay = proxy.latencyMs > 0 ? setTimeout(proxy.latencyMs) : undefined;
      before = Promise.all([before, delay]).then(() => {
        if (to.writable) to.write(piece);
      });
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
    const link = { said: "", deaf: false };
    links.add(link);
    client.on("close", () => links.delete(link));
    pipe(client, upstream, link, true);
    pipe(upstream, client, link, false);
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
    deafen: (said) => {
      for (const link of links) link.deaf ||= said.test(link.said);
    },
    resetAll,
    [Symbol.asyncDispose]: async () => {
      resetAll();
      server.close();
      await once(server, "close");
    },
  };
  return proxy;
}
