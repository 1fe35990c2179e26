/** One HTTP/1.1 keep-alive connection with one request at a time, that looks at answers no closer than it must. */
import { Buffer } from "node:buffer";
import { connect } from "node:net";

const headEnd = Buffer.from("\r\n\r\n");
const lastChunk = Buffer.from("0\r\n\r\n");
const statusLine = "HTTP/1.1 200";

export class Connection {
  /** The caller's own mark for the request that is under way. */
  mark = 0;
  /** When the request under way was to be sent. */
  intended = 0;
  #partial;
  #socket;

  /**
   * @param {(connection: Connection, isOk: boolean, body: Buffer) => void} onAnswer gets a view of the body that is
   * good until it returns; of a body in chunks, their frames too
   */
  constructor({ host, port }, onAnswer, onFailure) {
    this.onAnswer = onAnswer;
    this.onFailure = onFailure;
    const buffer = Buffer.allocUnsafe(64 * 1024);
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      onread: {
        buffer,
        callback: (size) => {
          this.#take(buffer.subarray(0, size));
          return true;
        },
      },
    });
    this.opened = new Promise((resolve, reject) => {
      this.#socket.once("connect", resolve).once("error", reject);
    });
    this.opened.catch(() => undefined);
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("close", () => this.#fail(new Error("The server has closed a connection.")));
  }

  send(request) {
    this.#socket.write(request);
  }

  close() {
    this.onFailure = () => undefined;
    this.#socket.destroy();
  }

  #fail(error) {
    this.onFailure(error);
  }

  #take(piece) {
    const bytes = this.#partial ? Buffer.concat([this.#partial, piece]) : piece;
    const end = bytes.indexOf(headEnd);
    if (end !== -1) {
      const head = bytes.latin1Slice(0, end);
      const start = end + headEnd.length;
      const length = /\r\ncontent-length: *(\d+)/i.exec(head);
      const isWhole = length
        ? bytes.length - start >= Number(length[1])
        : bytes.subarray(-lastChunk.length).equals(lastChunk);
      if (isWhole) {
        this.#partial = undefined;
        this.onAnswer(this, head.startsWith(statusLine), bytes.subarray(start));
        return;
      }
    }
    this.#partial = this.#partial ? bytes : Buffer.from(bytes);
  }
}
