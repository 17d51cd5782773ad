/** config/sros2_policy.xml against the running nodes; and that where DDS security cannot be had, asking for it never ends in running without (docs/security.md). */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { VIEWS } from '../../src/nodes/dashboard/viewFrame';
import { AdaptationRig, TEST_MS } from '../support/adaptationNode';
import { DashboardRig, eventually, ViewClient } from '../support/dashboard';
import { HEIGHT, IMAGE, WIDTH } from '../support/depthNode';
import { Program } from '../support/program';
import { NodeProcess, PATIENCE, Peer, ROOT, rosEnvironment } from '../support/ros';
import { tinyModel } from '../support/tinyModel';

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-security-'));
const rig = new DashboardRig();
const adaptation = new AdaptationRig();
const other: { peer?: Peer; node?: NodeProcess; recorder?: Program } = {};
afterEach(async () => {
  other.recorder?.signal('SIGKILL');
  await other.node?.kill();
  await other.peer?.close();
  other.recorder = other.node = other.peer = undefined;
  await adaptation.stop();
  await rig.stop();
});

const SECTIONS = {
  publishers: ['topics', 'publish'],
  subscribers: ['topics', 'subscribe'],
  services: ['services', 'reply'],
} as const;
type Interface = Record<keyof typeof SECTIONS, string[]>;

/** Subscribed to with use_sim_time alone, and published of bags where parameter clock asks for it. */
const CLOCK = '/clock';

/** What a node's profile allows, private names with the node's name. */
function policy(node: string): Interface {
  const text = readFileSync(join(ROOT, 'config', 'sros2_policy.xml'), 'utf8');
  const profile = new RegExp(`<profile ns="/" node="${node}">(.*?)</profile>`, 's').exec(text)![1];
  const names = ([tag, permission]: (typeof SECTIONS)[keyof Interface]): string[] => {
    const content = new RegExp(`<${tag} ${permission}="ALLOW">(.*?)</${tag}>`, 's').exec(profile)![1];
    return [...content.matchAll(/<(?:topic|service)>(.*?)</g)].map(([, name]) => name.replace(/^~/, `/${node}/`));
  };
  return Object.fromEntries(Object.entries(SECTIONS).map(([part, section]) => [part, names(section)])) as Interface;
}

/** What the profile allows of the graph: patterns as the names they let through. */
function allowed(names: readonly string[], there: readonly string[]): string[] {
  const pattern = (name: string): RegExp => new RegExp(`^${name.replaceAll('*', '.*')}$`);
  return names
    .flatMap((name) => (name.includes('*') ? there.filter((one) => pattern(name).test(one)) : [name]))
    .filter((name, at, all) => name !== CLOCK && all.indexOf(name) === at)
    .sort();
}

/**
 * The graph, once discovery has it all, shows the node with exactly what its profile allows.
 *
 * @param camera namespace of the camera's topics
 * @param named topic that a parameter names: the profile of a user has it
 */
async function expectPolicyOf(node: string, peer: Peer, camera = '/camera', named?: string): Promise<void> {
  const profile = policy(node);
  const [found, expected]: Partial<Interface>[] = [{}, {}];
  const isAsAllowed = async (): Promise<boolean> => {
    const graph = (await peer.command('node_interface', { node: `/${node}` })) as unknown as Interface;
    for (const part of Object.keys(SECTIONS) as (keyof Interface)[]) {
      const names = graph[part].filter((name) => name !== named);
      found[part] = names.map((name) => name.replace(`${camera}/`, '/camera/')).sort();
      expected[part] = allowed(profile[part], found[part]);
    }
    return JSON.stringify(found) === JSON.stringify(expected);
  };
  await eventually(isAsAllowed, () => node, 5000 * PATIENCE).catch(() => undefined);
  expect(found).toEqual(expected);
}

/** A node of this package beside an rclpy process that sees it. */
function startBeside(name: 'replayNode' | 'modelSenderNode', rosArguments: string[]): Peer {
  const env = rosEnvironment();
  other.node = new NodeProcess(name, rosArguments, env);
  return (other.peer = new Peer([], env));
}

describe('the policy names exactly the topics and services of', () => {
  test('depth_node, with all that adds topics of its own', async () => {
    await rig.start(['-p', 'publish_tf:=true', '-p', 'base_frame:=base_link'], [`${IMAGE}=Image:pub`]);
    await expectPolicyOf('depth_node', rig.peer, '/front');
  });

  test('dashboard_node, while somebody looks at every view', async () => {
    await rig.startDashboard([`${IMAGE}=Image:pub`]);
    const page = new ViewClient(rig.url);
    await page.opened;
    page.say({ want: VIEWS });
    await expectPolicyOf('dashboard_node', rig.peer, '/front');
    page.close();
  });

  test(
    'adaptation_node',
    async () => {
      await adaptation.prepare();
      await adaptation.start();
      await expectPolicyOf('adaptation_node', adaptation.peer, '/camera', '/vehicle/twist');
    },
    TEST_MS,
  );

  test('replay_node', async () => {
    const source = join(folder, 'recording');
    mkdirSync(source);
    const green = { width: WIDTH, height: HEIGHT, channels: 3, background: { r: 9, g: 90, b: 9 } } as const;
    await sharp({ create: green }).png().toFile(join(source, '000000.png'));
    const remapped = ['image', 'camera_info'].flatMap((name) => [
      '-r',
      `${name}:=/camera/${name === 'image' ? 'image_raw' : name}`,
    ]);
    const loop = ['-p', `source:=${source}`, '-p', 'loop:=true'];
    await expectPolicyOf('replay_node', startBeside('replayNode', [...remapped, ...loop]));
  });

  test('model_sender_node', async () => {
    const model = join(folder, 'tiny.onnx');
    writeFileSync(model, tinyModel());
    const files = ['-p', `model:=${model}`, '-p', `parent:=${model}`, '-p', 'version:=1'];
    await expectPolicyOf('model_sender_node', startBeside('modelSenderNode', files));
  });

  test('the recorder, of all topics', async () => {
    const env = rosEnvironment();
    const topics = [IMAGE, '/far/away/camera_info'];
    other.peer = new Peer([`${IMAGE}=Image:pub`, `${topics[1]}=CameraInfo:pub`], env);
    other.recorder = new Program('src/cli.js', ['record', '--all', join(folder, 'all.mcap')], env);
    await other.peer.matched();
    await expectPolicyOf('depthgrad_recorder', other.peer);
    const { subscribers } = await other.peer.command('node_interface', { node: '/depthgrad_recorder' });
    expect(subscribers).toEqual(expect.arrayContaining(topics));
  });
});

test('with Enforce and no security to be had the node ends, it does not run unprotected', async () => {
  const keystore = mkdtempSync(join(tmpdir(), 'depthgrad-keys-'));
  mkdirSync(join(keystore, 'enclaves', 'depthgrad', 'depth_node'), { recursive: true });
  const secure = {
    ...rosEnvironment(),
    ROS_SECURITY_ENABLE: 'true',
    ROS_SECURITY_STRATEGY: 'Enforce',
    ROS_SECURITY_KEYSTORE: keystore,
  };
  const own = ['-p', `model:=${rig.model}`, '--enclave', '/depthgrad/depth_node'];
  const ending = rig.run(own, secure);
  expect(await ending.exitCode()).toBe(1);
  expect(ending.output).not.toContain('ready');
  expect(ending.output).toMatch(/security/i);
});
