/** The node's WebSocket: numbers as JSON, views as binary frames (src/nodes/dashboard/viewFrame.ts). */

const RETRY_MS = 1500;
const decoder = new TextDecoder();

/**
 * One frame of a view.
 * @typedef {{ view: string, sequence: number, stamp?: { sec: number, nanosec: number }, [field: string]: any }} Header
 * @typedef {{ header: Header, buffer: ArrayBuffer, offset: number }} Frame
 */

export class Connection {
  #handlers;
  #wanted = [];
  #socket;

  /** @param {{ onFrame: (frame: Frame) => void, onState: (state: any) => void, onLink: (link: 'live' | 'lost') => void }} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
    this.#open();
  }

  /** What the page looks at; nothing else is sent, and depth_node makes nothing else. */
  want(views) {
    if (views.join() === this.#wanted.join()) return;
    this.#wanted = views;
    this.#say({ want: views });
  }

  /** The next frame of this view may come. */
  drawn({ view, sequence }) {
    this.#say({ drawn: view, sequence });
  }

  #open() {
    const url = new URL('/views', location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#handlers.onLink('live');
      this.#say({ want: this.#wanted });
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') this.#handlers.onState(JSON.parse(data));
      else this.#handlers.onFrame(unpack(data));
    };
    socket.onclose = () => {
      this.#handlers.onLink('lost');
      setTimeout(() => this.#open(), RETRY_MS);
    };
    this.#socket = socket;
  }

  #say(message) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}

/** @returns {Frame} */
function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  return { header: JSON.parse(decoder.decode(new Uint8Array(buffer, 4, length))), buffer, offset: 4 + length };
}
