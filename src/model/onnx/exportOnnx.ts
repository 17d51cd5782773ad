/**
 * Exports a DepthNetwork as one ONNX file that stands alone (docs/architecture.md, "Graph contract"): uint8 rgb image of any
 * size in; depth, gradient, confidence, ego-motion and the features to feed back with the next frame out.
 */
import { createHash } from 'node:crypto';
import { onnx } from 'onnx-proto';
import { ALIGNMENT_SHRINK } from '../../geometry/alignment';
import { confidenceSharpness } from '../confidence';
import { gradientStrides } from '../heads/gradient';
import { poseFeatureIndex, type DepthNetwork } from '../network';
import { writeFileAtomically } from '../safetensors';
import { writeAlignment } from './alignment';
import { writeFusion } from './fusion';
import { GraphWriter } from './graphWriter';
import { writeLayersModel, type GraphMap } from './layers';
import { metadataToEntries, type ModelDescription } from './metadata';

/** The grey image at half the size is carried at the features' stride 8: blocks of 4x4 pixels as channels. */
const GREY_BLOCK = 4;
const GREY_CHANNELS = GREY_BLOCK ** 2;
/** fx, fy, cx, cy for the network's size: the last channels of the first cell. onnxruntime-node knows no optional inputs. */
const INTRINSICS_CHANNELS = 4;

/** The bytes of the ONNX file. */
export function buildOnnx(network: DepthNetwork, description: ModelDescription): Uint8Array {
  const { encoder, height, width, fusionLambda } = network.config;
  const graph = new GraphWriter('depthgrad');
  const variables = network.namedVariables();
  const write = (model: DepthNetwork['encoder'], inputs: GraphMap[]): GraphMap[] =>
    writeLayersModel(graph, model, inputs, variables);

  const image = writeImage(graph, height, width);
  const features = write(network.encoder, [image]);
  const [logDisparity] = write(network.depthHead, features);
  const [gradient] = write(network.gradientHead, features.slice(0, gradientStrides));
  const fused = writeFusion(graph, logDisparity.value, gradient.value, { height, width, lambda: fusionLambda });
  const depth = graph.node('Exp', [graph.node('Neg', [fused.logDisparity])]);

  // What a frame hands on: its stride-8 features for the pose head, and for the alignment its grey image at half the size.
  const current = features[poseFeatureIndex];
  const { height: featureHeight, width: featureWidth } = current;
  const greyChannel = current.channels;
  const intrinsicsChannel = greyChannel + GREY_CHANNELS;
  const featureChannels = intrinsicsChannel + INTRINSICS_CHANNELS;
  const featureShape = [1, featureHeight, featureWidth, featureChannels];
  const half = { kernel_shape: [ALIGNMENT_SHRINK, ALIGNMENT_SHRINK], strides: [ALIGNMENT_SHRINK, ALIGNMENT_SHRINK] };
  const channelAxis = graph.integers('channel_axis', [1]);
  const grey = graph.node('ReduceMean', [graph.node('AveragePool', [image.value], half), channelAxis]);
  const previousFeatures = graph.input('previous_features', 'float32', featureShape);
  const before = graph.node('Transpose', [previousFeatures], { perm: [0, 3, 1, 2] });
  const channels = (from: number, to: number): string =>
    graph.node('Slice', [
      before,
      graph.integers(`channel_${from}`, [from]),
      graph.integers(`channel_${to}`, [to]),
      channelAxis,
    ]);
  const [proposed] = write(network.poseHead, [{ ...current, value: channels(0, greyChannel) }, current]);
  // Who knows the camera writes its intrinsics into the first cell; zeros there mean the camera of the training.
  const intrinsicsMap = channels(intrinsicsChannel, featureChannels);
  const firstCell = graph.node('Slice', [
    intrinsicsMap,
    graph.integers('cell_from', [0, 0]),
    graph.integers('cell_to', [1, 1]),
    graph.integers('space', [2, 3]),
  ]);
  const given = graph.shaped(firstCell, [4]);
  const { fx, fy, cx, cy } = description.intrinsics;
  const isGiven = graph.node('Greater', [
    graph.node('Slice', [given, graph.integers('cell_0', [0]), graph.integers('cell_1', [1])]),
    graph.floats('zero', [0], []),
  ]);
  const intrinsics = graph.node('Where', [isGiven, given, graph.floats('training_intrinsics', [fx, fy, cx, cy], [4])]);
  const greyBlocks = graph.node('SpaceToDepth', [grey], { blocksize: GREY_BLOCK });
  const handedOn = graph.node('Concat', [current.value, greyBlocks, intrinsicsMap], { axis: 1 });
  const egoMotion = writeAlignment(graph, {
    target: grey,
    source: graph.node('DepthToSpace', [channels(greyChannel, intrinsicsChannel)], { blocksize: GREY_BLOCK }),
    logDisparity: graph.node('AveragePool', [graph.shaped(fused.logDisparity, [1, 1, height, width])], half),
    intrinsics,
    pose: proposed.value,
    height,
    width,
  });

  const planeShape = graph.integers('one_plane', [1, height, width]);
  graph.output(graph.node('Reshape', [depth, planeShape], {}, 'depth'), [1, height, width]);
  graph.output(graph.node('Transpose', [gradient.value], { perm: [0, 2, 3, 1] }, 'log_disparity_gradient'), [
    1,
    height,
    width,
    2,
  ]);
  graph.output(graph.node('Reshape', [fused.confidence, planeShape], {}, 'confidence'), [1, height, width]);
  graph.output(graph.node('Identity', [egoMotion], {}, 'ego_motion'), [1, 6]);
  graph.output(graph.node('Transpose', [handedOn], { perm: [0, 2, 3, 1] }, 'features'), featureShape);

  return graph.finish(
    metadataToEntries({
      ...description,
      encoder,
      height,
      width,
      featureHeight,
      featureWidth,
      featureChannels,
      intrinsicsChannel,
      fusionLambda,
      confidenceSharpness,
    }),
  );
}

/**
 * Writes the ONNX file; an existing one is replaced in one step.
 *
 * @returns the file's SHA-256, hexadecimal
 * @throws Error naming the file when it cannot be written
 */
export function exportOnnx(network: DepthNetwork, path: string, description: ModelDescription): string {
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
