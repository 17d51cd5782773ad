/**
 * Exports a network as one ONNX file that stands alone (docs/architecture.md, "Graph contract"): uint8 rgb image of any size in;
 * depth, gradient, confidence, ego-motion and the features to feed back with the next frame out.
 */
import { createHash } from 'node:crypto';
import { onnx } from 'onnx-proto';
import { confidenceSharpness } from '../confidence';
import { writeFileAtomically } from '../safetensors';
import { handedOnLayout, writeEgoMotion, writeHandedOn } from './egoMotion';
import { writeForwardDifferences } from './fusion';
import { GraphWriter } from './graphWriter';
import type { GraphMap } from './layers';
import { metadataToEntries, type ModelDescription } from './metadata';
import type { GraphSource } from './networkGraph';

/** The bytes of the ONNX file. @throws Error naming a layer that has no ONNX form */
export function buildOnnx(network: GraphSource, description: ModelDescription): Uint8Array {
  const { height, width } = description;
  const size = { height, width };
  const graph = new GraphWriter('depthgrad');
  const image = writeImage(graph, height, width);
  const { logDisparity, gradient, pose, fusionLambda } = network.writeGraph(graph, image);
  const depth = graph.node('Exp', [graph.node('Neg', [logDisparity])]);

  const planeShape = graph.integers('one_plane', [1, height, width]);
  graph.output(graph.node('Reshape', [depth, planeShape], {}, 'depth'), [1, height, width]);
  const differences =
    gradient?.value ?? writeForwardDifferences(graph, graph.shaped(logDisparity, [1, 1, height, width]), size);
  graph.output(graph.node('Transpose', [differences], { perm: [0, 2, 3, 1] }, 'log_disparity_gradient'), [
    1,
    height,
    width,
    2,
  ]);
  const confidence =
    gradient?.confidence ?? graph.floats('full_confidence', new Float32Array(height * width).fill(1), [height, width]);
  graph.output(graph.node('Reshape', [confidence, planeShape], {}, 'confidence'), [1, height, width]);

  const layout = handedOnLayout(size, pose?.features.channels ?? 0);
  graph.input('previous_features', 'float32', layout.shape);
  writeHandedOn(graph, layout, image.value, pose);
  writeEgoMotion(graph, layout, size, pose, description.intrinsics);

  return graph.finish(
    metadataToEntries({
      ...description,
      featureHeight: layout.height,
      featureWidth: layout.width,
      featureChannels: layout.channels,
      intrinsicsChannel: layout.intrinsicsChannel,
      fusionLambda,
      confidenceSharpness: gradient && confidenceSharpness,
    }),
  );
}

/**
 * Writes the ONNX file; an existing one is replaced in one step.
 *
 * @returns the file's SHA-256, hexadecimal
 * @throws Error naming the file when it cannot be written
 */
export function exportOnnx(network: GraphSource, path: string, description: ModelDescription): string {
  const bytes = buildOnnx(network, description);
  writeFileAtomically(path, [bytes]);
  return createHash('sha256').update(bytes).digest('hex');
}

/** uint8 [1, H, W, 3] -> float 0..1 [1, 3, h, w], anti-aliased; onnxruntime copies an image that has the size already. */
function writeImage(graph: GraphWriter, height: number, width: number): GraphMap {
  const image = graph.input('image', 'uint8', [1, 'image_height', 'image_width', 3]);
  // Cast before Transpose: onnxruntime moves floats faster than bytes.
  const numbers = graph.node('Cast', [image], { to: onnx.TensorProto.DataType.FLOAT });
  const planes = graph.node('Transpose', [numbers], { perm: [0, 3, 1, 2] });
  const sizes = graph.integers('image_sizes', [1, 3, height, width]);
  const shrunk = graph.node('Resize', [planes, '', '', sizes], {
    mode: 'linear',
    antialias: 1,
    coordinate_transformation_mode: 'half_pixel',
  });
  const value = graph.node('Mul', [shrunk, graph.floats('one_by_255', [1 / 255], [])]);
  return { value, height, width, channels: 3 };
}
