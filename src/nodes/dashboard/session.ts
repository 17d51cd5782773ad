import type { RawData, WebSocket } from 'ws';
import { VIEWS, type ViewFrame, type ViewName } from './viewFrame';

/**
 * One browser. Of each view it looks at, one frame is on its way at most: the next one goes when the browser has drawn the one before. So a slow browser
 * gets fewer frames, holds no memory here, and nobody waits for it.
 */
export class Session {
  readonly #socket: WebSocket;
  readonly #wanted = new Set<ViewName>();
  /** Sequence of the last frame sent, and whether it is drawn. */
  readonly #sent = new Map<ViewName, { sequence: number; isDrawn: boolean }>();

  /** @param onChange what it looks at, or is ready for, has changed */
  constructor(socket: WebSocket, onChange: () => void, onEnd: () => void) {
    this.#socket = socket;
    socket.on('message', (data, isBinary) => {
      if (!isBinary && this.#receive(data)) onChange();
    });
    socket.on('close', onEnd);
  }

  get wanted(): ReadonlySet<ViewName> {
    return this.#wanted;
  }

  isReady(view: ViewName): boolean {
    return this.#wanted.has(view) && this.#sent.get(view)?.isDrawn !== false;
  }

  /** Sends the frame where the browser is ready for it and has not had it. */
  offer({ view, sequence, bytes }: ViewFrame): void {
    if (!this.isReady(view) || this.#sent.get(view)?.sequence === sequence) return;
    this.#sent.set(view, { sequence, isDrawn: false });
    this.#socket.send(bytes);
  }

  /** Numbers; left out where older ones are still on their way. */
  tell(state: string): void {
    if (this.#socket.bufferedAmount === 0) this.#socket.send(state);
  }

  /** {"want": [views]} or {"drawn": view, "sequence": n}; false where it is neither. */
  #receive(data: RawData): boolean {
    let message: unknown;
    try {
      message = JSON.parse((data as Buffer).toString('utf8'));
    } catch {
      return false;
    }
    if (typeof message !== 'object' || message === null) return false;
    if ('want' in message && Array.isArray(message.want)) {
      const { want } = message;
      this.#wanted.clear();
      for (const view of VIEWS) if (want.includes(view)) this.#wanted.add(view);
      return true;
    }
    if (!('drawn' in message && 'sequence' in message)) return false;
    const sent = this.#sent.get(message.drawn as ViewName);
    if (sent?.sequence !== message.sequence) return false;
    sent!.isDrawn = true;
    return true;
  }
}
