/**
 * The second half of the graph: ego-motion out of what two frames hand on. It reads nothing but the outputs `depth` and `features`
 * and the input `previous_features`, so that a node can run the first half alone, publish the depth, and run this half after it
 * (inference/splitModel.ts).
 */
import { ALIGNMENT_SHRINK, type PinholeParameters } from '../../geometry/alignment';
import { writeAlignment } from './alignment';
import type { GraphWriter } from './graphWriter';
import type { GraphMap } from './layers';

/** The grey image at half the size is carried at the features' stride 8: blocks of 4x4 pixels as channels. */
const GREY_BLOCK = 4;
const STRIDE = ALIGNMENT_SHRINK * GREY_BLOCK;
const GREY_CHANNELS = GREY_BLOCK ** 2;
/** fx, fy, cx, cy for the network's size: the last channels of the first cell. onnxruntime-node knows no optional inputs. */
const INTRINSICS_CHANNELS = 4;

/** How a network answers with a motion before the alignment refines it. */
export interface PoseHead {
  /** Stride-8 features of the current frame. */
  features: GraphMap;
  /** Writes the head on both frames' features; @returns [1, 6] */
  write(previous: GraphMap, current: GraphMap): string;
}

/** What a frame hands on, channel by channel: stride-8 features for a pose head, grey image for the alignment, intrinsics. */
export interface HandedOnLayout {
  height: number;
  width: number;
  greyChannel: number;
  intrinsicsChannel: number;
  channels: number;
  /** [1, height, width, channels], of `features` and `previous_features`. */
  shape: number[];
}

/** @param size the network's  @param greyChannel how many channels of features are before the grey image's */
export function handedOnLayout(size: { height: number; width: number }, greyChannel: number): HandedOnLayout {
  const [height, width] = [size.height / STRIDE, size.width / STRIDE];
  const intrinsicsChannel = greyChannel + GREY_CHANNELS;
  const channels = intrinsicsChannel + INTRINSICS_CHANNELS;
  return { height, width, greyChannel, intrinsicsChannel, channels, shape: [1, height, width, channels] };
}

/** Writes the output `features`. @param image [1, 3, h, w] in 0..1  @param pose left out where the network has no pose head */
export function writeHandedOn(graph: GraphWriter, layout: HandedOnLayout, image: string, pose?: PoseHead): void {
  const half = graph.node('AveragePool', [image], shrinking());
  const grey = graph.node('ReduceMean', [half, graph.integers('channel_axis', [1])]);
  const blocks = graph.node('SpaceToDepth', [grey], { blocksize: GREY_BLOCK });
  const previous = graph.node('Transpose', ['previous_features'], { perm: [0, 3, 1, 2] });
  const intrinsics = channelsOf(graph, previous, layout.intrinsicsChannel, layout.channels);
  const all = graph.node('Concat', pose ? [pose.features.value, blocks, intrinsics] : [blocks, intrinsics], {
    axis: 1,
  });
  graph.output(graph.node('Transpose', [all], { perm: [0, 2, 3, 1] }, 'features'), layout.shape);
}

/**
 * Writes the output `ego_motion`.
 *
 * @param pose what the alignment starts from; no motion where it is left out
 * @param camera in force where the caller gives none, for the network's size
 */
export function writeEgoMotion(
  graph: GraphWriter,
  layout: HandedOnLayout,
  { height, width }: { height: number; width: number },
  pose: PoseHead | undefined,
  camera: PinholeParameters,
): void {
  const read = (features: string): { map?: GraphMap; grey: string; intrinsics: string } => {
    const planes = graph.node('Transpose', [features], { perm: [0, 3, 1, 2] });
    const { greyChannel, intrinsicsChannel, channels } = layout;
    const blocks = channelsOf(graph, planes, greyChannel, intrinsicsChannel);
    return {
      map: pose && { ...pose.features, value: channelsOf(graph, planes, 0, greyChannel) },
      grey: graph.node('DepthToSpace', [blocks], { blocksize: GREY_BLOCK }),
      intrinsics: channelsOf(graph, planes, intrinsicsChannel, channels),
    };
  };
  const before = read('previous_features');
  const now = read('features');
  const proposed = pose && before.map && now.map && pose.write(before.map, now.map);
  const logDisparity = graph.node('Neg', [graph.node('Log', [graph.shaped('depth', [1, 1, height, width])])]);
  const egoMotion = writeAlignment(graph, {
    target: now.grey,
    source: before.grey,
    logDisparity: graph.node('AveragePool', [logDisparity], shrinking()),
    intrinsics: writeIntrinsics(graph, before.intrinsics, camera),
    pose: proposed,
    height,
    width,
  });
  graph.output(graph.node('Identity', [egoMotion], {}, 'ego_motion'), [1, 6]);
}

/** Who knows the camera writes its intrinsics into the first cell; zeros there mean the camera of the training. */
function writeIntrinsics(graph: GraphWriter, map: string, { fx, fy, cx, cy }: PinholeParameters): string {
  const firstCell = graph.node('Slice', [
    map,
    graph.integers('cell_from', [0, 0]),
    graph.integers('cell_to', [1, 1]),
    graph.integers('space', [2, 3]),
  ]);
  const given = graph.shaped(firstCell, [4]);
  const givenFx = graph.node('Slice', [given, graph.integers('cell_0', [0]), graph.integers('cell_1', [1])]);
  const isGiven = graph.node('Greater', [givenFx, graph.floats('zero', [0], [])]);
  return graph.node('Where', [isGiven, given, graph.floats('training_intrinsics', [fx, fy, cx, cy], [4])]);
}

function channelsOf(graph: GraphWriter, map: string, from: number, to: number): string {
  const [start, end] = [graph.integers(`channel_${from}`, [from]), graph.integers(`channel_${to}`, [to])];
  return graph.node('Slice', [map, start, end, graph.integers('channel_axis', [1])]);
}

function shrinking(): { kernel_shape: number[]; strides: number[] } {
  return { kernel_shape: [ALIGNMENT_SHRINK, ALIGNMENT_SHRINK], strides: [ALIGNMENT_SHRINK, ALIGNMENT_SHRINK] };
}
