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
/** The same for messages that are said once and hold for good: a map, the frames of a vehicle. */
const MOST_LATCHED_BYTES = 64 * 1024 * 1024;
/** Of what a viewer said, in the answer. */
const LONGEST_QUOTE = 50;
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
  /** By their ids, which the viewer chooses; one of a channel at most, as the protocol has it. */
  readonly subscribers: Map<number, Subscriber>;
}

/** A viewer's subscription to a channel. */
export interface Subscriber {
  readonly client: Client;
  readonly id: number;
  readonly channelId: number;
}

export interface FoxgloveServerOptions {
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly onSubscribe: (subscriber: Subscriber) => void;
  /** It unsubscribed or is gone; not called where the channel was removed. */
  readonly onUnsubscribe: (subscriber: Subscriber) => void;
}

export interface FoxgloveMessage {
  readonly timestampNs: bigint;
  readonly data: Buffer;
  readonly isLatched: boolean;
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
    for (const { socket, subscribers } of this.#clients) {
      for (const [subscription, { channelId }] of subscribers) if (channelId === id) subscribers.delete(subscription);
      tell(socket, { op: 'unadvertise', channelIds: [id] });
    }
  }

  /** A viewer, until it goes. */
  connect(socket: WebSocket): void {
    const client: Client = { socket, subscribers: new Map() };
    this.#clients.add(client);
    socket.on('close', () => {
      this.#clients.delete(client);
      for (const subscriber of client.subscribers.values()) this.#options.onUnsubscribe(subscriber);
    });
    socket.on('message', (data, isBinary) => {
      if (!isBinary) this.#receive(client, data);
    });
    const { name, metadata } = this.#options;
    tell(socket, { op: 'serverInfo', name, capabilities: [], metadata, sessionId: this.#sessionId });
    const channels = [...this.#channels].map(([id, channel]) => ({ id, ...channel }));
    tell(socket, { op: 'advertise', channels });
  }

  /** A message to those of the subscribers that are not behind. */
  send(subscribers: Iterable<Subscriber>, { timestampNs, data, isLatched }: FoxgloveMessage): void {
    const mostBytes = isLatched ? MOST_LATCHED_BYTES : MOST_BUFFERED_BYTES;
    for (const { client, id } of subscribers) {
      const { socket } = client;
      if (socket.bufferedAmount > mostBytes) {
        this.dropped++;
        continue;
      }
      const header = Buffer.alloc(MESSAGE_HEADER_BYTES);
      header.writeUInt8(MESSAGE_DATA, 0);
      header.writeUInt32LE(id, 1);
      header.writeBigUInt64LE(timestampNs, 5);
      socket.send(header, { binary: true, fin: false });
      socket.send(data, { binary: true, fin: true });
    }
  }

  /** Why a subscriber gets nothing, or not all. */
  warn({ client }: Subscriber, text: string): void {
    warn(client.socket, text);
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
      for (const id of subscriptionIds as unknown[]) {
        const subscriber = client.subscribers.get(id as number);
        client.subscribers.delete(id as number);
        if (subscriber) this.#options.onUnsubscribe(subscriber);
        else warn(client.socket, `there is no subscription ${quoted(id)}`);
      }
    } else warn(client.socket, `op ${quoted(op)} is not served: this server is for reading topics`);
  }

  #subscribe(client: Client, { id, channelId }: { id?: unknown; channelId?: unknown }): void {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) > 0xffffffff) {
      return warn(client.socket, `subscription id ${quoted(id)} is no uint32`);
    }
    if (client.subscribers.has(id as number)) return warn(client.socket, `subscription id ${id as number} is in use`);
    if (!this.#channels.has(channelId as number))
      return warn(client.socket, `there is no channel ${quoted(channelId)}`);
    if ([...client.subscribers.values()].some((subscriber) => subscriber.channelId === channelId))
      return warn(client.socket, `channel ${channelId as number} is subscribed to already`);
    const subscriber = { client, id: id as number, channelId: channelId as number };
    client.subscribers.set(subscriber.id, subscriber);
    this.#options.onSubscribe(subscriber);
  }
}

function tell(socket: WebSocket, message: object): void {
  socket.send(JSON.stringify(message));
}

/** Short, and without going into it: text can be nested deeper than there is stack. */
function quoted(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, LONGEST_QUOTE));
  return typeof value === 'object' ? 'that is an object' : `${value as number}`;
}

/** Who does not read warnings gets no more of them. */
function warn(socket: WebSocket, text: string): void {
  if (socket.bufferedAmount > MOST_BUFFERED_BYTES) return;
  tell(socket, { op: 'status', level: LEVEL_WARNING, message: text });
}
