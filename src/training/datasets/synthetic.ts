/** Synthetic drives with exact depth, ego-motion and intrinsics: the supervised warm start and the tests' ground truth. */
import type { Intrinsics } from '../../geometry/camera';
import { compose, inverse, rotationFromAxisAngle, type Se3, toVector6 } from '../../geometry/se3';
import { Random } from '../random';
import { exposureFor, photograph, randomFaults } from './synthetic/photograph';
import { SceneClass } from './synthetic/mesh';
import { GeometryBuffer } from './synthetic/raster';
import { buildScene, type Scene } from './synthetic/scene';
import { shade } from './synthetic/shade';

/** Depths beyond this many metres, the sky's too, are given as this. */
export const FAR_METERS = 100;

export interface SyntheticSample {
  /** rgb8 [h, w, 3] per frame. */
  images: Uint8Array[];
  /** Metres along Z at pixel centres, float32 [h, w] per frame, at most FAR_METERS. */
  depths: Float32Array[];
  /** Pose of frame k+1's camera in frame k's optical frame: translation (metres), then axis-angle; frames - 1 of them. */
  poses: Float64Array[];
  intrinsics: Intrinsics;
  /** 1 where a pixel shows something that moves by itself, [h, w] per frame. */
  moving: Uint8Array[];
}

/**
 * A procedural world of highways, mountain roads, country roads and streets. Sample `index` of seed `seed` is always the same.
 *
 * @example
 * const { images, depths, poses, intrinsics } = new SyntheticScenes(1).render(0, 128, 416, 2);
 */
export class SyntheticScenes {
  #buffer = new GeometryBuffer(1, 1);
  #colours = new Float32Array(0);

  constructor(private readonly seed: number) {}

  /** @param frames consecutive frames of one drive, 1 or more */
  render(sampleIndex: number, height: number, width: number, frames = 3): SyntheticSample {
    const { random, intrinsics, scene, cameras } = this.#begin(sampleIndex, height, width, frames);
    const faults = randomFaults(random);
    const sample: SyntheticSample = { images: [], depths: [], poses: [], intrinsics, moving: [] };
    let exposure = 0;
    for (let frame = 0; frame < frames; frame++) {
      const buffer = this.#buffer;
      buffer.draw(scene.mesh, intrinsics, inverse(cameras[frame]), frame);
      shade(buffer, scene, intrinsics, cameras[frame], this.#colours);
      if (frame === 0) exposure = exposureFor(this.#colours, faults);
      sample.images.push(photograph(this.#colours, height, width, faults, exposure, random.integer(2 ** 31)));
      const depth = new Float32Array(height * width);
      const moving = new Uint8Array(height * width);
      for (let v = 0, i = 0; v < height; v++) {
        for (let u = 0; u < width; u++, i++) {
          const at = (2 * v + 1) * buffer.columns + 2 * u + 1;
          depth[i] = Math.min(FAR_METERS, 1 / buffer.inverseDepth[at]);
          moving[i] = buffer.quads[at] >= 0 && scene.mesh.motions[buffer.quads[at]] > 0 ? 1 : 0;
        }
      }
      sample.depths.push(depth);
      sample.moving.push(moving);
      if (frame > 0) sample.poses.push(toVector6(compose(inverse(cameras[frame - 1]), cameras[frame])));
    }
    return sample;
  }

  /** SceneClass at the pixel centres of one of the frames that `render` gives for the same numbers, uint8 [h, w]; no picture is shaded. */
  classes(sampleIndex: number, height: number, width: number, frames: number, frame: number): Uint8Array {
    const { intrinsics, scene, cameras } = this.#begin(sampleIndex, height, width, frames);
    const buffer = this.#buffer;
    buffer.draw(scene.mesh, intrinsics, inverse(cameras[frame]), frame);
    const classes = new Uint8Array(height * width);
    for (let v = 0, i = 0; v < height; v++) {
      for (let u = 0; u < width; u++, i++) {
        const quad = buffer.quads[(2 * v + 1) * buffer.columns + 2 * u + 1];
        classes[i] = quad < 0 ? SceneClass.Sky : scene.mesh.classes[quad];
      }
    }
    return classes;
  }

  /** What the sample shows and from where; `random` goes on to its pictures. */
  #begin(
    sampleIndex: number,
    height: number,
    width: number,
    frames: number,
  ): { random: Random; intrinsics: Intrinsics; scene: Scene; cameras: Se3[] } {
    if (this.#buffer.height !== height || this.#buffer.width !== width) {
      this.#buffer = new GeometryBuffer(height, width);
      this.#colours = new Float32Array(this.#buffer.rows * this.#buffer.columns * 3);
    }
    const random = new Random(Math.imul(this.seed + 1, 0x9e3779b1) ^ Math.imul(sampleIndex + 1, 0x85ebca6b));
    const intrinsics = randomIntrinsics(random, height, width);
    const scene = buildScene(random);
    return { random, intrinsics, scene, cameras: drive(random, scene, frames) };
  }
}

/** Fields of view of dashcams, most of them 16:9 or KITTI's 3.3:1 squeezed to the network's size. */
function randomIntrinsics(random: Random, height: number, width: number): Intrinsics {
  const fx = random.between(0.5, 1) * width;
  const fy = (random.chance(0.75) ? random.between(1.2, 2) : random.between(0.6, 1.4)) * height;
  return {
    width,
    height,
    fx,
    fy,
    cx: (0.5 + random.between(-0.05, 0.05)) * width - 0.5,
    cy: (0.5 + random.between(-0.12, 0.14)) * height - 0.5,
  };
}

/** Camera-to-world transforms of consecutive frames along the lane. */
function drive(random: Random, scene: Scene, frames: number): Se3[] {
  const { road, lane, speed } = scene;
  const height = random.between(1.2, 1.9);
  const degrees = Math.PI / 180;
  const pitch = random.between(-4, 4) * degrees;
  const roll = random.between(-2, 2) * degrees;
  const yaw = random.between(-3, 3) * degrees;
  const turn = random.chance(0.3) ? random.between(-2.5, 2.5) * degrees : random.between(-0.4, 0.4) * degrees;
  const drift = random.between(-0.04, 0.04) * speed;
  const shake = random.uniform() ** 2;
  const jitter = (amount: number): number => amount * shake * (random.uniform() + random.uniform() - 1);
  const cameras: Se3[] = [];
  for (let frame = 0; frame < frames; frame++) {
    const t = frame * speed;
    const offset = lane + drift * frame;
    const [x, y, z] = road.point(t, offset);
    // Two metres to either side, as the wheels do, so that the terrain's mesh does not shake the camera.
    const grade = Math.atan2(road.point(t - 2, offset)[1] - road.point(t + 2, offset)[1], 4);
    const heading = road.heading(t) + yaw + turn * frame + jitter(0.6 * degrees);
    const yawed = rotationFromAxisAngle(0, heading, 0);
    const pitched = rotationFromAxisAngle(grade + pitch + jitter(0.8 * degrees), 0, 0);
    const rolled = rotationFromAxisAngle(0, 0, roll + jitter(0.6 * degrees));
    const zero = new Float64Array(3);
    const turned = compose(compose({ rotation: yawed, translation: zero }, { rotation: pitched, translation: zero }), {
      rotation: rolled,
      translation: zero,
    });
    cameras.push({
      rotation: turned.rotation,
      translation: Float64Array.of(x + jitter(0.03), y - height + jitter(0.04), z),
    });
  }
  return cameras;
}
