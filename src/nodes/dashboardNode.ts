/** dashboard_node: the page of a running depth_node, and the Foxglove protocol for other viewers. docs/dashboard.md has both. */
import { end, isEnding, onEnd } from './ros/endOnSignal';
import { readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { hostname, setPriority } from 'node:os';
import type { WebSocket } from 'ws';
import { Access } from './dashboard/access';
import { Dashboard } from './dashboard/dashboard';
import { SUBPROTOCOLS } from './dashboard/foxglove/foxgloveServer';
import { TopicBridge } from './dashboard/foxglove/topicBridge';
import { createPageServer } from './dashboard/pageServer';
import { closeAll, HTTP_LIMITS, listen, serveSockets } from './dashboard/socketServer';
import { declareDashboardParameters, type DashboardParameters } from './dashboardParameters';
import { ParameterError } from './ros/parameters';
import { createNode, rclnodejs, type RosNode } from './ros/rclnodejs';
import { ThrottledLog } from './ros/throttledLog';

const SOCKET_PATH = '/views';

async function main(): Promise<void> {
  rclnodejs.removeSignalHandlers();
  await rclnodejs.init();
  onEnd(() => rclnodejs.shutdown());
  const node = createNode('dashboard_node');
  const log = new ThrottledLog(node.getLogger());
  const parameters = declareDashboardParameters(node);
  giveWay(parameters.niceness);

  const dashboard = new Dashboard(node, parameters, log);
  onEnd(() => dashboard.close());
  node.spin();
  const access = new Access(parameters);
  await servePage(node, parameters, access, dashboard, log);
  if (parameters.foxglovePort !== 0) await serveFoxglove(node, parameters, access, log);
  dashboard.run().catch(fail);
}

/** Every thread of this process, those of DDS included, which were started before the parameters were known. */
function giveWay(niceness: number): void {
  if (niceness === 0) return;
  for (const thread of readdirSync('/proc/self/task')) setPriority(Number(thread), niceness);
}

async function servePage(
  node: RosNode,
  parameters: DashboardParameters,
  access: Access,
  dashboard: Dashboard,
  log: ThrottledLog,
): Promise<void> {
  const { bindAddress, port } = parameters;
  const server = createPageServer(access);
  const actualPort = await listen(server, bindAddress, port).catch((error: NodeJS.ErrnoException) => {
    throw new ParameterError(`parameters bind_address and port: ${bindAddress}:${port}: ${whyNot(error)}`);
  });
  warnOf(server, 'page', log);
  const onConnection = (socket: WebSocket): void => dashboard.connect(socket);
  const sockets = serveSockets(server, { access, path: SOCKET_PATH, onConnection });
  onEnd(() => closeAll(server, sockets));
  announce(node, `page of ${parameters.depthNode}`, `http://${shown(parameters, actualPort)}`, access);
}

async function serveFoxglove(
  node: RosNode,
  parameters: DashboardParameters,
  { token = '' }: Access,
  log: ThrottledLog,
): Promise<void> {
  const { bindAddress, foxglovePort, foxgloveOrigins: origins } = parameters;
  const access = new Access({ bindAddress, token, origins });
  const server = createServer(HTTP_LIMITS, (_, response) => {
    response.writeHead(426, { Upgrade: 'websocket' }).end('Foxglove WebSocket protocol\n');
  });
  try {
    const port = await listen(server, bindAddress, foxglovePort);
    announce(node, 'Foxglove', `ws://${shown(parameters, port)}`, access);
  } catch (error) {
    // Very likely foxglove_bridge, which serves the same: no reason to do without the page.
    const why = whyNot(error as NodeJS.ErrnoException);
    node.getLogger().warn(`parameter foxglove_port: ${bindAddress}:${foxglovePort}: ${why}; going on without it`);
    return;
  }
  warnOf(server, 'Foxglove', log);
  const bridge = new TopicBridge(node, log);
  onEnd(() => bridge.close());
  const onConnection = (socket: WebSocket): void => bridge.connect(socket);
  const sockets = serveSockets(server, { access, protocols: SUBPROTOCOLS, onConnection });
  onEnd(() => closeAll(server, sockets));
}

/** A connection that cannot be taken in (no file descriptor is left) is no reason to end. */
function warnOf(server: Server, what: string, log: ThrottledLog): void {
  server.on('error', (error) => log.warn(`server ${what}`, `${what}: a connection was not taken: ${error.message}`));
}

function whyNot({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE') return 'another program listens there; give another port, or 0 for any free one';
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return 'no address of this machine';
  if (code === 'EACCES') return 'this user may not listen there; ports below 1024 are for root';
  return message;
}

/**
 * Says where something is. An address with a token is for who started this node, and so for its terminal alone: /rosout has what is logged, and with it every
 * bag that records all topics, and ROS's log files.
 */
function announce(node: RosNode, what: string, address: string, { token }: Access): void {
  if (token === undefined) {
    node.getLogger().info(`${what}: ${address}`);
    return;
  }
  node.getLogger().info(`${what} (the terminal has the address with its token): ${address}`);
  // As the line above reads where there is no token, so that a program that waits for the address need not know whether there is one.
  process.stderr.write(`${what}: ${address}?token=${encodeURIComponent(token)}\n`);
}

/** Host and port. */
function shown({ bindAddress }: DashboardParameters, port: number): string {
  const isEveryAddress = bindAddress === '0.0.0.0' || bindAddress === '::';
  const host = isEveryAddress ? hostname() : bindAddress.includes(':') ? `[${bindAddress}]` : bindAddress;
  return `${host}:${port}/`;
}

/** Nothing can go on: says why and ends with code 1. */
function fail(error: Error): void {
  if (isEnding()) return;
  process.stderr.write(`dashboard_node: ${error.message}\n`);
  void end(1);
}

main().catch(fail);
