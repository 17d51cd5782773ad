import { FoxgloveClient, type Channel, type SubscriptionId } from '@foxglove/ws-protocol';
import { WebSocket } from 'ws';
import { eventually } from './dashboard';

/** What has come of a subscription, each with the time that its header says, ns. */
export interface Received {
  readonly messages: Buffer[];
  readonly timestamps: bigint[];
}

/** The library's client, its channels by topic and its messages by subscription. */
export class Viewer {
  readonly channels = new Map<string, Channel>();
  readonly warnings: string[] = [];
  readonly client: FoxgloveClient;
  readonly socket: WebSocket;
  readonly #received = new Map<SubscriptionId, Received>();
  name = '';

  constructor(address: string, protocols = [FoxgloveClient.SUPPORTED_SUBPROTOCOL]) {
    this.socket = new WebSocket(address, protocols);
    this.client = new FoxgloveClient({
      ws: this.socket as unknown as ConstructorParameters<typeof FoxgloveClient>[0]['ws'],
    });
    this.client.on('serverInfo', ({ name }) => (this.name = name));
    this.client.on('advertise', (channels) => channels.forEach((channel) => this.channels.set(channel.topic, channel)));
    this.client.on('unadvertise', (ids) => {
      for (const [topic, { id }] of this.channels) if (ids.includes(id)) this.channels.delete(topic);
    });
    this.client.on('status', ({ message }) => this.warnings.push(message));
    this.client.on('message', ({ subscriptionId, timestamp, data }) => {
      const { buffer, byteOffset, byteLength } = data;
      this.#received.get(subscriptionId)?.messages.push(Buffer.from(buffer, byteOffset, byteLength));
      this.#received.get(subscriptionId)?.timestamps.push(timestamp);
    });
  }

  async channel(topic: string): Promise<Channel> {
    await eventually(
      () => this.channels.has(topic),
      () => `${topic} among ${[...this.channels.keys()].join()}`,
    );
    return this.channels.get(topic)!;
  }

  async subscribe(topic: string): Promise<Received & { id: SubscriptionId }> {
    const id = this.client.subscribe((await this.channel(topic)).id);
    const received: Received = { messages: [], timestamps: [] };
    this.#received.set(id, received);
    return { id, ...received };
  }
}
