/**
 * depth_node's end of the hand-over alone, whose first two answers cannot be published: for test/ros/modelUpdate.test.ts. `model` is the factory model.
 * The first update is in work until `hold` of them have come.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ModelHost } from '../../src/inference/modelHost';
import { ModelUpdateReceiver } from '../../src/nodes/modelUpdateReceiver';
import { end, onEnd } from '../../src/nodes/ros/endOnSignal';
import { declareParameters, numberParameter, stringParameter } from '../../src/nodes/ros/parameters';
import { createNode, rclnodejs, type Publisher } from '../../src/nodes/ros/rclnodejs';
import { ThrottledLog } from '../../src/nodes/ros/throttledLog';

async function main(): Promise<void> {
  rclnodejs.removeSignalHandlers();
  await rclnodejs.init();
  onEnd(() => rclnodejs.shutdown());
  const node = createNode('depth_node');
  declareParameters(node, {
    model: { value: '', text: 'Path of the factory model.' },
    hold: { value: 1, text: 'Updates that have come when the first one goes on.', integer: true, range: [1, 10] },
  });
  const create = node.createPublisher.bind(node);
  let failures = 2;
  node.createPublisher = (...given): Publisher => {
    const publisher = create(...given);
    const publish = publisher.publish.bind(publisher);
    publisher.publish = (message) => {
      if (failures-- > 0) throw new Error('no room for it');
      publish(message);
    };
    return publisher;
  };
  const subscribe = node.createSubscription.bind(node);
  let received = 0;
  node.createSubscription = (type, topic, options, callback) =>
    subscribe(type, topic, options, (message) => {
      callback(message);
      node.getLogger().info(`received ${++received}`);
    });
  const updates = new ModelUpdateReceiver(node, new ThrottledLog(node.getLogger()));
  const modelPath = stringParameter(node, 'model');
  const host = await ModelHost.start({ modelPath, threads: 1, maxUpdateBytes: 1_000_000 });
  const update = host.update.bind(host);
  host.update = async (given) => {
    while (received < numberParameter(node, 'hold')) await sleep(10);
    return update(given);
  };
  updates.receive(host);
  node.spin();
}

main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  void end(1);
});
