/** The WebSocket for what happens. */

import { UnavailableError } from '../errors.ts';
import { type ClientFrame, encodeFrame } from '../frames.ts';

const PATH = '/v1/stream';
const OPEN_TIMEOUT_MS = 20_000;

/** An open connection. */
export class Stream {
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** From now on `onFrame` gets each frame's bytes, or null for text, and `onLost` is told once of the end. */
  listen(onFrame: (data: Uint8Array | null) => void, onLost: () => void): void {
    this.#socket.onmessage = ({ data }) => {
      onFrame(data instanceof ArrayBuffer ? new Uint8Array(data) : null);
    };
    this.#socket.onclose = onLost;
    if (this.#socket.readyState === WebSocket.CLOSED) onLost();
  }

  /** The frame is on its way, or the connection is lost. */
  send(frame: ClientFrame): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(encodeFrame(frame));
  }

  /** The connection is closed; nobody is told. */
  close(): void {
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
  }
}

/** A new connection to the server that this page came from. Throws `UnavailableError`. */
export function openStream(): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(PATH);
    socket.binaryType = 'arraybuffer';
    const timer = setTimeout(() => {
      socket.close();
    }, OPEN_TIMEOUT_MS);
    socket.onopen = () => {
      clearTimeout(timer);
      socket.onclose = null;
      resolve(new Stream(socket));
    };
    socket.onclose = () => {
      clearTimeout(timer);
      reject(new UnavailableError('the server does not answer'));
    };
  });
}
