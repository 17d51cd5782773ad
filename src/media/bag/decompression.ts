/** zstd and lz4 as MCAP chunks and rosbag2's message compression use them. */
import lz4 from '@foxglove/wasm-lz4';
import zstd from '@foxglove/wasm-zstd';

const ZSTD_MAGIC = 0xfd2fb528;

/** By MCAP's names of compressions; size in bytes of what comes out. */
export type Decompressors = Readonly<Record<string, (bytes: Uint8Array, size: bigint) => Uint8Array>>;

/** The decoders are WebAssembly, which loads asynchronously once per process. */
export async function loadDecompressors(): Promise<Decompressors> {
  await Promise.all([zstd.isLoaded, lz4.isLoaded]);
  return {
    zstd: (bytes, size) => zstd.decompress(bytes, Number(size)),
    lz4: (bytes, size) => lz4(bytes, Number(size)),
  };
}

export function isZstd(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === ZSTD_MAGIC;
}

/**
 * Size of what a zstd frame holds, which rosbag2 always writes into the frame's header (RFC 8878, section 3.1.1.1).
 * @throws RangeError when the header is cut off or says no size
 */
export function zstdContentSize(frame: Uint8Array): bigint {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3];
  const at = 5 + (singleSegment ? 0 : 1) + dictionaryIdBytes;
  switch (descriptor >> 6) {
    case 3:
      return view.getBigUint64(at, true);
    case 2:
      return BigInt(view.getUint32(at, true));
    case 1:
      return BigInt(view.getUint16(at, true) + 256);
    default:
      if (!singleSegment) throw new RangeError('the zstd frame does not say the size of its content');
      return BigInt(view.getUint8(at));
  }
}
