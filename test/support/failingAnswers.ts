/** depth_node's end of the hand-over alone, whose first two answers cannot be published: for test/ros/modelUpdate.test.ts. `model` is the factory model. */
import { ModelHost } from '../../src/inference/modelHost';
import { ModelUpdateReceiver } from '../../src/nodes/modelUpdateReceiver';
import { end, onEnd } from '../../src/nodes/ros/endOnSignal';
import { declareParameters, stringParameter } from '../../src/nodes/ros/parameters';
import { createNode, rclnodejs, type Publisher } from '../../src/nodes/ros/rclnodejs';
import { ThrottledLog } from '../../src/nodes/ros/throttledLog';

async function main(): Promise<void> {
  rclnodejs.removeSignalHandlers();
  await rclnodejs.init();
  onEnd(() => rclnodejs.shutdown());
  const node = createNode('depth_node');
  declareParameters(node, { model: { value: '', text: 'Path of the factory model.' } });
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
  const updates = new ModelUpdateReceiver(node, new ThrottledLog(node.getLogger()));
  const modelPath = stringParameter(node, 'model');
  updates.receive(await ModelHost.start({ modelPath, threads: 1, maxUpdateBytes: 1_000_000 }));
  node.spin();
}

main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  void end(1);
});
