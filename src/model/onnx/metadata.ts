/** The metadata every exported model carries (metadata_props), and what makes a file one of ours. */

export const onnxFormat = 'depthgrad-onnx/1';

/** Pinhole intrinsics in pixels at the network's size, pixel centres at integers. */
export interface Intrinsics {
  fx: number;
  fy: number;
  cx: number;
  cy: number;
}

export interface ModelDescription {
  name: string;
  version: string;
  /** The recipe's network kind; left out for depthgrad's own. */
  network?: string;
  /** Name of the encoder; left out where the network has none of the registry's. */
  encoder?: string;
  /** The network's size. */
  height: number;
  width: number;
  /** Of the cameras trained on, scaled to the network's size. */
  intrinsics: Intrinsics;
  /** SHA-256 of the model file this one was trained on from, when there is one. */
  parentSha256?: string;
}

export interface OnnxMetadata extends ModelDescription {
  featureHeight: number;
  featureWidth: number;
  featureChannels: number;
  /** First of the four channels of the features' first cell that carry fx, fy, cx, cy. */
  intrinsicsChannel: number;
  /** Left out where depth and gradient are not fused by a screened Poisson equation. */
  fusionLambda?: number;
  /** Left out where the confidence is 1 everywhere: there is no gradient of the network's own to disagree with the depth. */
  confidenceSharpness?: number;
}

/** Of depthgrad's own network, the only kind that is read back. */
export type DepthgradMetadata = OnnxMetadata & { encoder: string; fusionLambda: number; confidenceSharpness: number };

export function metadataToEntries(metadata: OnnxMetadata): Map<string, string> {
  const { intrinsics, network, fusionLambda, confidenceSharpness } = metadata;
  return new Map(
    Object.entries({
      format: onnxFormat,
      producer: 'depthgrad',
      name: metadata.name,
      version: metadata.version,
      ...(network !== undefined && { network }),
      encoder: metadata.encoder ?? 'none',
      height: `${metadata.height}`,
      width: `${metadata.width}`,
      feature_height: `${metadata.featureHeight}`,
      feature_width: `${metadata.featureWidth}`,
      feature_channels: `${metadata.featureChannels}`,
      intrinsics_channel: `${metadata.intrinsicsChannel}`,
      training_fx: `${intrinsics.fx}`,
      training_fy: `${intrinsics.fy}`,
      training_cx: `${intrinsics.cx}`,
      training_cy: `${intrinsics.cy}`,
      parent_sha256: metadata.parentSha256 ?? '',
      ...(fusionLambda !== undefined && { fusion_lambda: `${fusionLambda}` }),
      ...(confidenceSharpness === undefined
        ? { confidence: 'constant 1' }
        : { confidence_sharpness: `${confidenceSharpness}` }),
      kernel_layout: 'OIHW (tfjs HWIO transposed)',
    }),
  );
}

/** @throws Error saying which entry is missing or no number, or that the format or the network is not depthgrad's own */
export function metadataFromEntries(entries: ReadonlyMap<string, string>): DepthgradMetadata {
  const format = entries.get('format');
  if (format !== onnxFormat) {
    throw new Error(
      `its metadata 'format' is ${format === undefined ? 'missing' : `'${format}'`}, not '${onnxFormat}'`,
    );
  }
  const kind = entries.get('network');
  if (kind !== undefined)
    throw new Error(
      `it holds a network '${kind}', and only depthgrad's own is read back; train on from its run folder`,
    );
  const text = (key: string): string => {
    const value = entries.get(key);
    if (value === undefined) throw new Error(`its metadata has no '${key}'`);
    return value;
  };
  const number = (key: string): number => {
    const value = text(key).trim() === '' ? NaN : Number(text(key));
    if (!Number.isFinite(value)) throw new Error(`its metadata '${key}' is no number: '${text(key)}'`);
    return value;
  };
  return {
    name: text('name'),
    version: text('version'),
    encoder: text('encoder'),
    height: number('height'),
    width: number('width'),
    featureHeight: number('feature_height'),
    featureWidth: number('feature_width'),
    featureChannels: number('feature_channels'),
    intrinsicsChannel: number('intrinsics_channel'),
    intrinsics: {
      fx: number('training_fx'),
      fy: number('training_fy'),
      cx: number('training_cx'),
      cy: number('training_cy'),
    },
    parentSha256: entries.get('parent_sha256') || undefined,
    fusionLambda: number('fusion_lambda'),
    confidenceSharpness: number('confidence_sharpness'),
  };
}
