/** WebSockets beside HTTP, for clients of which some are slow, gone, too many or up to no good: none of them costs more than its share. */
import type { IncomingMessage, Server, ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { requestUrl, type Access } from './access';

/** Nothing a client says is longer. */
const MOST_INCOMING_BYTES = 1 << 18;
/** WebSockets of one port. */
const MOST_VIEWERS = 32;
/** Sockets of one port: browsers open six each for the page's files. The process has a thousand. */
const MOST_CONNECTIONS = 256;
/** A request that is not whole by then, and a page's file nobody reads on, ends. */
const REQUEST_MS = 10_000;
const IDLE_MS = 30_000;
/** Nothing heard in so many of these: gone. */
const PING_PERIOD_MS = 10_000;
const MOST_MISSED = 3;

/** For createServer. */
export const HTTP_LIMITS: ServerOptions = {
  headersTimeout: REQUEST_MS,
  requestTimeout: REQUEST_MS,
  connectionsCheckingInterval: REQUEST_MS / 2,
};

export interface SocketOptions {
  readonly access: Access;
  /** The only one; undefined: any. */
  readonly path?: string;
  /** One of these is answered, where a client names any. */
  readonly protocols?: readonly string[];
  readonly onConnection: (socket: WebSocket) => void;
  readonly mostViewers?: number;
  readonly pingPeriodMs?: number;
}

/** Makes WebSockets of the requests to `server` that are let in, and sets the limits of its sockets. */
export function serveSockets(server: Server, options: SocketOptions): WebSocketServer {
  const { access, path, protocols, onConnection, mostViewers = MOST_VIEWERS, pingPeriodMs = PING_PERIOD_MS } = options;
  server.maxConnections = MOST_CONNECTIONS;
  server.setTimeout(IDLE_MS); // of plain HTTP: a WebSocket has none
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MOST_INCOMING_BYTES,
    perMessageDeflate: false,
    ...(protocols && { handleProtocols: (offered) => protocols.find((name) => offered.has(name)) ?? false }),
  });
  const refusalOf = (request: IncomingMessage): number | undefined =>
    access.refusal(request) ??
    (path === undefined || requestUrl(request)?.pathname === path ? undefined : 404) ??
    (sockets.clients.size < mostViewers ? undefined : 503);
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const refusal = refusalOf(request);
    if (refusal) return refuse(socket, refusal);
    sockets.handleUpgrade(request, socket, head, (accepted) => {
      accepted.on('error', () => accepted.terminate()); // no WebSocket frame, or too long a one
      endWhenGone(accepted, socket as Socket, pingPeriodMs);
      onConnection(accepted);
    });
  });
  return sockets;
}

/** HTTP lets the other side keep its half of a connection open, and has no limit of time for one that was to be upgraded: so both halves are closed. */
function refuse(socket: Duplex, status: number): void {
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/**
 * A client whose machine is off, or whose network is cut, says no good-bye; its views and subscriptions would be served on. Who is there is heard by any
 * byte, the answer to a ping at least; where much waits for a slow one, the ping waits behind it, and that some of that was taken is an answer as well.
 */
function endWhenGone(accepted: WebSocket, socket: Socket, periodMs: number): void {
  let missed = 0;
  let before = lifeOf(socket);
  const timer = setInterval(() => {
    const now = lifeOf(socket);
    missed = now.heard !== before.heard || (before.isBehind && now.taken !== before.taken) ? 0 : missed + 1;
    before = now;
    if (missed >= MOST_MISSED) accepted.terminate();
    else accepted.ping();
  }, periodMs);
  accepted.once('close', () => clearInterval(timer));
}

/** What was heard of the other side, and what the system has taken for it: as long as something waits for it here, that is as fast as it reads. */
function lifeOf(socket: Socket): { heard: number; taken: string; isBehind: boolean } {
  const { bytesRead, bytesWritten, writableLength } = socket;
  // Of the one write that is under way, as Node's own limit of idle time looks at it.
  const { writeQueueSize = 0 } = (socket as { _handle?: { writeQueueSize?: number } })._handle ?? {};
  return {
    heard: bytesRead,
    taken: `${bytesWritten - writableLength} ${writeQueueSize}`,
    isBehind: writableLength > 0,
  };
}

/** The port it listens on; rejects where it cannot. */
export function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}

export function closeAll(server: Server, sockets: WebSocketServer): void {
  for (const socket of sockets.clients) socket.terminate();
  server.close();
  server.closeAllConnections();
}
