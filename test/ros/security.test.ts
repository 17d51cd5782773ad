/** config/sros2_policy.xml against the running node; and that where DDS security cannot be had, asking for it never ends in running without (docs/security.md). */
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DepthNodeRig, IMAGE } from '../support/depthNode';
import { ROOT, rosEnvironment } from '../support/ros';

const rig = new DepthNodeRig();
afterEach(() => rig.stop());

/** Names in the profile of depth_node by section, private ones with the node's name. */
function policy(section: 'topics publish' | 'topics subscribe' | 'services reply'): string[] {
  const text = readFileSync(join(ROOT, 'config', 'sros2_policy.xml'), 'utf8').replaceAll('/camera/', '/front/');
  const profile = /<profile ns="\/" node="depth_node">(.*?)<\/profile>/s.exec(text)![1];
  const [tag] = section.split(' ');
  const content = new RegExp(`<${section}="ALLOW">(.*?)</${tag}>`, 's').exec(profile)![1];
  return [...content.matchAll(/<(?:topic|service)>(.*?)</g)]
    .map(([, name]) => name.replace(/^~/, '/depth_node/'))
    .sort();
}

test('the policy names exactly the topics and services of depth_node', async () => {
  // With all that adds topics of its own.
  await rig.start(['-p', 'publish_tf:=true', '-p', 'base_frame:=base_link'], [`${IMAGE}=Image:pub`]);
  const found = await rig.peer.command('node_interface', { node: '/depth_node' });
  expect(found.publishers).toEqual(policy('topics publish'));
  expect(found.services).toEqual(policy('services reply'));
  const clock = '/clock'; // with use_sim_time only
  expect([...(found.subscribers as string[]), clock].sort()).toEqual(policy('topics subscribe'));
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
