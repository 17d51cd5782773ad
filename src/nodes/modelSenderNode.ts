/**
 * model_sender_node: sends one model file to a running depth_node, on this or another machine, waits for its answer and ends; code 0 where it was accepted.
 *
 *   node dist/src/nodes/modelSenderNode.js --ros-args -p model:=new.onnx -p parent:=models/default.onnx -p version:=1
 */
import { end, isEnding, onEnd } from './ros/endOnSignal';
import { readModelFile } from '../inference/modelFile';
import { packModelUpdate } from '../inference/modelUpdate';
import { ModelSender } from './modelSender';
import { declareModelSenderParameters } from './modelSenderParameters';
import { ParameterError } from './ros/parameters';
import { createNode, rclnodejs } from './ros/rclnodejs';
import { readPrivateKey } from './signingKeys';

async function main(): Promise<void> {
  rclnodejs.removeSignalHandlers();
  await rclnodejs.init();
  onEnd(() => rclnodejs.shutdown());
  const node = createNode('model_sender_node');
  const parameters = declareModelSenderParameters(node);
  const { modelPath, parentPath, version, depthNode } = parameters;
  if (modelPath === '') throw new ParameterError('parameter model: is empty; give the ONNX file to send');
  const [{ bytes }, parent] = await Promise.all([readModelFile(modelPath), readModelFile(parentPath)]);
  const privateKey = readPrivateKey(parameters.privateKeyPath);
  const update = packModelUpdate({ bytes, parent: parent.bytes, version, privateKey });

  const sender = new ModelSender(node, depthNode);
  const stamp = sender.send(update);
  sender.acks$.subscribe(({ accepted, reason, updateStamp: { sec, nanosec } }) => {
    if (sec !== stamp.sec || nanosec !== stamp.nanosec || isEnding()) return;
    const logger = node.getLogger();
    if (accepted) logger.info(`${depthNode} runs ${modelPath} (version ${version})`);
    else logger.error(`${depthNode} refused ${modelPath}: ${reason}`);
    void end(accepted ? 0 : 1);
  });
  node.spin();
  node.getLogger().info(`${update.data.length} bytes (${update.kind}) on ${depthNode}/model_update`);
}

main().catch((error: Error) => {
  if (isEnding()) return;
  process.stderr.write(`model_sender_node: ${error.message}\n`);
  void end(1);
});
