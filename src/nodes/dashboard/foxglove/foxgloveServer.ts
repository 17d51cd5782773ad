/**
 * The Foxglove WebSocket protocol, as far as a viewer reads topics: server info, channels, subscriptions, messages (github.com/foxglove/ws-protocol,
 * docs/spec.md). Its successor, the Foxglove SDK's, says the same under another name.
 */
import type { RawData, WebSocket } from 'ws';

/** Either is answered; a viewer names those it knows. */
export const SUBPROTOCOLS: readonly string[] = ['foxglove.sdk.v1', 'foxglove.websocket.v1'];

const MESSAGE_DATA = 1;
const MESSAGE_HEADER_BYTES = 1 + 4 + 8;
/** A viewer with more than this on its way gets no message until it has caught up. */
const MOST_BUFFERED_BYTES = 4 * 1024 * 1024;
const LEVEL_WARNING = 1;

export interface Channel {
  readonly topic: string;
  readonly encoding: string;
  readonly schemaName: string;
  readonly schemaEncoding: string;
  readonly schema: string;
}

interface Client {
  readonly socket: WebSocket;
  /** Subscription id, which the viewer chooses, to channel. */
  readonly subscriptions: Map<number, number>;
}

export interface FoxgloveServerOptions {
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** The first viewer subscribed to a channel, or the last one left it. */
  readonly onWanted: (channelId: number, wanted: boolean) => void;
}

export class FoxgloveServer {
  /** Messages not sent because a viewer was behind. */
  dropped = 0;
  readonly #options: FoxgloveServerOptions;
  readonly #channels = new Map<number, Channel>();
  readonly #clients = new Set<Client>();
  readonly #sessionId = `${Date.now()}`;
  #nextId = 1;

  constructor(options: FoxgloveServerOptions) {
    this.#options = options;
  }

  /** Offers a channel to all viewers; returns its id. */
  addChannel(channel: Channel): number {
    const id = this.#nextId++;
    this.#channels.set(id, channel);
    for (const { socket } of this.#clients) tell(socket, { op: 'advertise', channels: [{ id, ...channel }] });
    return id;
  }

  removeChannel(id: number): void {
    this.#channels.delete(id);
    for (const { socket, subscriptions } of this.#clients) {
      for (const [subscription, channel] of subscriptions) if (channel === id) subscriptions.delete(subscription);
      tell(socket, { op: 'unadvertise', channelIds: [id] });
    }
  }

  /** A viewer, until it goes. */
  connect(socket: WebSocket): void {
    const client: Client = { socket, subscriptions: new Map() };
    this.#clients.add(client);
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      this.#clients.delete(client);
      for (const channel of new Set(client.subscriptions.values())) this.#left(channel);
    });
    socket.on('message', (data, isBinary) => {
      if (!isBinary) this.#receive(client, data);
    });
    const { name, metadata } = this.#options;
    tell(socket, { op: 'serverInfo', name, capabilities: [], metadata, sessionId: this.#sessionId });
    const channels = [...this.#channels].map(([id, channel]) => ({ id, ...channel }));
    tell(socket, { op: 'advertise', channels });
  }

  /** A message to whoever subscribed to its channel and is not behind. */
  send(channelId: number, timestampNs: bigint, message: Buffer): void {
    for (const { socket, subscriptions } of this.#clients) {
      for (const [subscription, channel] of subscriptions) {
        if (channel !== channelId) continue;
        if (socket.bufferedAmount > MOST_BUFFERED_BYTES) {
          this.dropped++;
          continue;
        }
        const header = Buffer.alloc(MESSAGE_HEADER_BYTES);
        header.writeUInt8(MESSAGE_DATA, 0);
        header.writeUInt32LE(subscription, 1);
        header.writeBigUInt64LE(timestampNs, 5);
        socket.send(header, { binary: true, fin: false });
        socket.send(message, { binary: true, fin: true });
      }
    }
  }

  #receive(client: Client, data: RawData): void {
    let message: unknown;
    try {
      message = JSON.parse((data as Buffer).toString('utf8'));
    } catch {
      return warn(client.socket, 'this is no JSON');
    }
    const { op, subscriptions, subscriptionIds } = (message ?? {}) as Record<string, unknown>;
    if (op === 'subscribe' && Array.isArray(subscriptions)) {
      for (const one of subscriptions as { id?: unknown; channelId?: unknown }[]) this.#subscribe(client, one ?? {});
    } else if (op === 'unsubscribe' && Array.isArray(subscriptionIds)) {
      for (const id of subscriptionIds as number[]) {
        const channel = client.subscriptions.get(id);
        if (!client.subscriptions.delete(id)) warn(client.socket, `there is no subscription ${id}`);
        else this.#left(channel!);
      }
    } else warn(client.socket, `op ${JSON.stringify(op)} is not served: this server is for reading topics`);
  }

  #subscribe(client: Client, { id, channelId }: { id?: unknown; channelId?: unknown }): void {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) > 0xffffffff) {
      return warn(client.socket, `subscription id ${JSON.stringify(id)} is no uint32`);
    }
    if (client.subscriptions.has(id as number)) return warn(client.socket, `subscription id ${id as number} is in use`);
    if (!this.#channels.has(channelId as number))
      return warn(client.socket, `there is no channel ${String(channelId)}`);
    const isFirst = !this.#isWanted(channelId as number);
    client.subscriptions.set(id as number, channelId as number);
    if (isFirst) this.#options.onWanted(channelId as number, true);
  }

  #left(channel: number): void {
    if (!this.#isWanted(channel)) this.#options.onWanted(channel, false);
  }

  #isWanted(channel: number): boolean {
    return [...this.#clients].some(({ subscriptions }) => [...subscriptions.values()].includes(channel));
  }
}

function tell(socket: WebSocket, message: object): void {
  socket.send(JSON.stringify(message));
}

function warn(socket: WebSocket, text: string): void {
  tell(socket, { op: 'status', level: LEVEL_WARNING, message: text });
}
