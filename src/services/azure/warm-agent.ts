/** An HTTPS agent that has a connection ready before the first request needs one. */
import { Agent, type AgentOptions, type RequestOptions } from "node:https";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";

/** For how long a connection that nobody has used is trusted, in milliseconds: what is between may forget it silently. */
const trustMs = 60_000;

/**
 * Makes one connection beforehand, so that nobody waits for the handshakes of TCP and TLS. Nothing is sent on it: no
 * request that Azure would count. One that fails is nobody's problem; the first request then makes its own.
 */
export class WarmAgent extends Agent {
  private spare: TLSSocket | undefined;
  private ended = false;

  constructor(
    options: AgentOptions,
    /** Where all requests go. */
    private readonly origin: URL,
  ) {
    super(options);
  }

  /**
   * Makes the connection, and a new one in its place for as long as none is used. Resolves when it is there or cannot
   * be; never rejects.
   */
  async warm(): Promise<void> {
    if (this.ended || this.spare) return;
    const { host, port } = this;
    // Connects as for a request: with this agent's authorities, and with the same check of the name.
    const socket = super.createConnection({
      ...this.options,
      host,
      port,
      servername: isIP(host) === 0 ? host : "",
    }) as TLSSocket;
    this.spare = socket;
    socket.unref();
    socket.on("error", ignore);
    socket.once("close", () => {
      this.forget(socket);
    });
    socket.setTimeout(trustMs, () => {
      if (this.spare !== socket) return;
      const isMade = socket.authorized;
      this.forget(socket);
      socket.destroy();
      // One that could not be made would not be made now either.
      if (isMade) void this.warm();
    });
    await new Promise<void>((resolve) => {
      socket.once("secureConnect", resolve).once("close", () => {
        resolve();
      });
    });
  }

  override createConnection(
    options: RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const { spare } = this;
    if (!spare?.authorized || spare.destroyed || !this.isOurs(options))
      return super.createConnection(options, callback);
    this.spare = undefined;
    spare.off("error", ignore);
    spare.removeAllListeners("timeout");
    spare.setTimeout(0);
    return spare.ref();
  }

  override destroy(): void {
    this.ended = true;
    this.spare?.destroy();
    super.destroy();
  }

  private get host(): string {
    // A socket is given an address without brackets.
    return this.origin.hostname.replace(/^\[|\]$/g, "");
  }

  private get port(): number {
    return Number(this.origin.port || 443);
  }

  private isOurs({ host, port }: RequestOptions): boolean {
    return host === this.host && Number(port) === this.port;
  }

  private forget(socket: TLSSocket): void {
    if (this.spare === socket) this.spare = undefined;
  }
}

function ignore(): void {
  // Whoever needs a connection next makes one, and hears of it.
}
