/** dashboard_node where topics of depth_node's are of another type, and a Foxglove viewer is subscribed to them as that. */
import { DEPTH, eventually, PAGE, ViewClient } from '../support/dashboard';
import { Viewer } from '../support/foxgloveViewer';
import { NodeProcess, PATIENCE, Peer, rosEnvironment } from '../support/ros';

const MOTION = '/depth_node/ego_motion';
let peer: Peer;
let node: NodeProcess;
let viewer: Viewer;
let client: ViewClient;
afterAll(async () => {
  client?.close();
  viewer?.socket.terminate();
  await node?.kill();
  await peer?.close();
});

const become = (topic: string, count: number): Promise<void> =>
  eventually(
    async () => (await peer.command('subscribers', { topic })).count === count,
    () => `${count} subscribers of ${topic}; ${node.output}`,
  );

test(
  'what a browser asks for and cannot be subscribed to is named, and ends nothing; it comes when the viewer has gone',
  async () => {
    const env = rosEnvironment();
    peer = new Peer(
      [DEPTH, MOTION].map((topic) => `${topic}=std_msgs/msg/String:pub`),
      env,
    );
    const ports = ['-p', 'port:=0', '-p', `foxglove_port:=${20_000 + (process.pid % 10_000)}`];
    node = new NodeProcess('dashboardNode', ports, env);
    const page = PAGE.exec(await node.logged(PAGE))![1];
    viewer = new Viewer((await node.logged(/Foxglove: (ws:\S+)/)).split(' ')[1]);
    for (const topic of [DEPTH, MOTION]) {
      await viewer.subscribe(topic);
      await become(topic, 1);
    }
    client = new ViewClient(page);
    await client.opened;
    const want = ['depth', 'confidence', 'trajectory'];
    client.say({ want });
    await node.logged(/depth: cannot be subscribed to: /);
    await node.logged(/ego_motion: cannot be subscribed to: /);
    for (const name of ['confidence', 'camera_info', 'odometry']) await become(`/depth_node/${name}`, 1);

    viewer.socket.terminate();
    await become(DEPTH, 0);
    client.say({ want });
    await become(DEPTH, 1);
  },
  120_000 * PATIENCE,
);
