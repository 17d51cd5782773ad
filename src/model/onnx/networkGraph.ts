/** What a network gives the exporter; the rest of the graph contract (docs/architecture.md) is the same for all. */
import type { PoseHead } from './egoMotion';
import type { GraphWriter } from './graphWriter';
import type { GraphMap } from './layers';

export interface NetworkGraph {
  /** ln(1/Z) that depth is made of: a value of height * width numbers. */
  logDisparity: string;
  /**
   * The network's own estimate of log-disparity's forward differences [1, 2, h, w], and what its disagreement with the depth says
   * [.., h, w] in 0..1. Left out where it has none: then the gradient is that of the depth, and the confidence 1.
   */
  gradient?: { value: string; confidence: string };
  /** Left out where it compares no two frames' features: then the alignment starts from no motion. */
  pose?: PoseHead;
  /** Weight of the depth head in a screened-Poisson fusion, for the metadata. */
  fusionLambda?: number;
}

/** A network that can be written as an ONNX graph. */
export interface GraphSource {
  /** @param image rgb in 0..1, [1, 3, height, width], the size the file is for */
  writeGraph(graph: GraphWriter, image: GraphMap): NetworkGraph;
}
