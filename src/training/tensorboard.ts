/**
 * TensorBoard event files through TensorFlow's own summary operations. tfjs-node's writer knows scalars; pictures go through the
 * same native writer with TensorFlow's WriteRawProtoSummary.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { Int64Scalar } from '@tensorflow/tfjs-node-gpu/dist/int64_tensors';
import { Writer } from 'protobufjs/minimal';
import sharp from 'sharp';

/** What this file needs of tfjs-node's summary writer and of its backend, which runs any TensorFlow operation by name. */
interface NativeWriter {
  resourceHandle: tf.Tensor;
  backend: {
    executeMultipleOutputs(
      name: string,
      attributes: object[],
      inputs: (tf.Tensor | Int64Scalar)[],
      outputs: number,
    ): tf.Tensor[];
  };
}

const RGB = 3;

/** tensorflow.Summary with one image value (tensorflow/core/framework/summary.proto). */
function imageSummary(tag: string, png: Buffer, height: number, width: number): Uint8Array {
  const image = Writer.create()
    .uint32(8)
    .int32(height)
    .uint32(16)
    .int32(width)
    .uint32(24)
    .int32(RGB)
    .uint32(34)
    .bytes(png)
    .finish();
  const value = Writer.create().uint32(10).string(tag).uint32(34).bytes(image).finish();
  return Writer.create().uint32(10).bytes(value).finish();
}

export class TensorBoard {
  readonly #writer: ReturnType<typeof tf.node.summaryFileWriter>;

  constructor(readonly directory: string) {
    this.#writer = tf.node.summaryFileWriter(directory);
  }

  scalar(tag: string, value: number, step: number): void {
    this.#writer.scalar(tag, value, step);
  }

  /** @param rgb uint8 [height, width, 3] */
  async image(tag: string, rgb: Uint8Array, height: number, width: number, step: number): Promise<void> {
    const png = await sharp(rgb, { raw: { width, height, channels: RGB } })
      .png()
      .toBuffer();
    const { resourceHandle, backend } = this.#writer as unknown as NativeWriter;
    tf.tidy(() => {
      const summary = tf.scalar(imageSummary(tag, png, height, width) as unknown as string, 'string');
      backend.executeMultipleOutputs('WriteRawProtoSummary', [], [resourceHandle, new Int64Scalar(step), summary], 0);
    });
  }

  flush(): void {
    this.#writer.flush();
  }
}
