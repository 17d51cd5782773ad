/** A depth map as the points of sensor_msgs/PointCloud2: what Nav2's costmaps and RTAB-Map take. */
import type { CdrWriter, Header } from './ros/cdr';

export interface PointCloudOptions {
  /** Every so-manyth row and column. */
  readonly stride: number;
  /** Rows and columns of the map, NaN where there is no point; else a list of the points there are. */
  readonly organised: boolean;
  /** Points farther along `normal` (downwards, unit length, optical frame) than `distance` are left out. */
  readonly floor?: { readonly normal: readonly [number, number, number]; readonly distance: number };
}

export interface PointCloud {
  readonly height: number;
  readonly width: number;
  readonly hasColour: boolean;
  /** No point is NaN. */
  readonly isDense: boolean;
  /** float32 x y z, optical frame, the depth's unit; then 0x00rrggbb where it has colours. Valid until the next cloud. */
  readonly data: Uint8Array;
}

/** Camera of the map: K of its camera_info, row-major 3x3. */
type Intrinsics = ArrayLike<number>;

const NO_FLOOR = { normal: [0, 0, 0], distance: Infinity } as const;

/** Makes one cloud after another in a buffer of its own. */
export class PointCloudBuilder {
  #rays = { k: [] as number[], x: new Float32Array(0), y: new Float32Array(0) };
  #buffer = new ArrayBuffer(0);

  /**
   * @param depth [height][width] along Z; what is not finite is no point (sky, invalid, too near: REP 117)
   * @param image uint8 [height][width][3] rgb of the same size; without it points have no colour
   */
  build(
    depth: Float32Array,
    { height, width, k }: { height: number; width: number; k: Intrinsics },
    { stride, organised, floor = NO_FLOOR }: PointCloudOptions,
    image?: Uint8Array,
  ): PointCloud {
    const { x: rayX, y: rayY } = this.#raysOf(k, height, width);
    const [rows, columns] = [Math.ceil(height / stride), Math.ceil(width / stride)];
    const step = image ? 4 : 3;
    if (this.#buffer.byteLength < rows * columns * step * 4) this.#buffer = new ArrayBuffer(rows * columns * step * 4);
    const floats = new Float32Array(this.#buffer);
    const words = new Uint32Array(this.#buffer);
    const { normal, distance } = floor;
    let at = 0;
    let missing = 0;
    for (let v = 0; v < height; v += stride) {
      for (let u = 0; u < width; u += stride) {
        const i = v * width + u;
        const z = depth[i];
        const down = z * (normal[0] * rayX[u] + normal[1] * rayY[v] + normal[2]);
        if (z - z !== 0 || down > distance) {
          // NaN and the infinities; the floor
          missing++;
          if (!organised) continue;
          floats[at] = floats[at + 1] = floats[at + 2] = NaN;
        } else {
          floats[at] = z * rayX[u];
          floats[at + 1] = z * rayY[v];
          floats[at + 2] = z;
        }
        if (image) words[at + 3] = (image[3 * i] << 16) | (image[3 * i + 1] << 8) | image[3 * i + 2];
        at += step;
      }
    }
    return {
      height: organised ? rows : 1,
      width: organised ? columns : at / step,
      hasColour: image !== undefined,
      isDense: !organised || missing === 0,
      data: new Uint8Array(this.#buffer, 0, at * 4),
    };
  }

  #raysOf(k: Intrinsics, height: number, width: number): { x: Float32Array; y: Float32Array } {
    const { k: known, x, y } = this.#rays;
    if (x.length === width && y.length === height && known.every((value, i) => value === k[i])) return this.#rays;
    this.#rays = {
      k: Array.from(k),
      x: Float32Array.from({ length: width }, (_, u) => (u - k[2]) / k[0]),
      y: Float32Array.from({ length: height }, (_, v) => (v - k[5]) / k[4]),
    };
    return this.#rays;
  }
}

const FLOAT32 = 7;

export function writePointCloud(cdr: CdrWriter, header: Header, cloud: PointCloud): CdrWriter {
  const names = cloud.hasColour ? ['x', 'y', 'z', 'rgb'] : ['x', 'y', 'z'];
  const step = 4 * names.length;
  cdr.header(header).uint32(cloud.height).uint32(cloud.width).uint32(names.length);
  for (const [i, name] of names.entries())
    cdr
      .string(name)
      .uint32(4 * i)
      .uint8(FLOAT32)
      .uint32(1);
  return cdr
    .uint8(0) // is_bigendian
    .uint32(step)
    .uint32(step * cloud.width)
    .bytes(cloud.data)
    .uint8(cloud.isDense ? 1 : 0);
}
