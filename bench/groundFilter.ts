/** points_ground on frames with measured depth: how much of the floor goes, and what of the obstacles goes with it. Frames stand alone: no plane is held. */
import { Command } from 'commander';
import { AreaResizer, RGB8 } from '../src/geometry/areaResize';
import { scaleIntrinsics } from '../src/geometry/camera';
import { fitGroundPlane } from '../src/odometry/groundPlane';
import { defaultModelPath } from '../src/paths';
import { openDepthDataset } from '../src/training/evaluation/depthDataset';
import { OnnxModel } from '../src/training/evaluation/onnxModel';

const [WIDTH, HEIGHT] = [416, 128];
const CLEARANCES = [0.15, 0.3, 0.5];
const FARTHEST = 30;

interface Options {
  readonly data: string;
  readonly cameraHeight: string;
  readonly model: string;
}

const share = (flags: readonly boolean[]): string =>
  `${((100 * flags.filter(Boolean).length) / flags.length).toFixed(1)} % of ${flags.length}`;

async function main({ data, cameraHeight, model: path }: Options): Promise<void> {
  const metres = Number(cameraHeight);
  const model = await OnnxModel.open(path);
  const kinds = CLEARANCES.map((clearance) => ({ clearance, floor: [] as boolean[], obstacles: [] as boolean[] }));
  let [found, seen] = [0, 0];
  for await (const { image, depth: truth, intrinsics, width, height } of (await openDepthDataset(data)).frames()) {
    const shrunk = new Uint8Array(WIDTH * HEIGHT * 3);
    const sizes = { width, height, step: 3 * width, outputWidth: WIDTH, outputHeight: HEIGHT };
    new AreaResizer({ ...sizes, layout: RGB8 }).resize(image, shrunk);
    const k = scaleIntrinsics(intrinsics, WIDTH, HEIGHT);
    const { depth } = await model.run(shrunk, HEIGHT, WIDTH, model.emptyFeatures(), k);
    const plane = fitGroundPlane(depth, k);
    seen++;
    if (!plane) continue;
    found++;
    for (const [i, z] of truth.entries()) {
      if (!(z > 0 && z < FARTHEST)) continue;
      const [u, v] = [i % width, Math.floor(i / width)];
      const above = metres - ((v - intrinsics.cy) / intrinsics.fy) * z; // the camera is level on its vehicle
      const [column, row] = [
        Math.min(WIDTH - 1, Math.floor(((u + 0.5) * WIDTH) / width)),
        Math.min(HEIGHT - 1, Math.floor(((v + 0.5) * HEIGHT) / height)),
      ];
      const [x, y] = [(column - k.cx) / k.fx, (row - k.cy) / k.fy];
      const [nx, ny, nz] = plane.normal;
      const down = ((metres * depth[row * WIDTH + column]) / plane.height) * (nx * x + ny * y + nz);
      for (const { clearance, floor, obstacles } of kinds) {
        const isRemoved = down > metres - clearance;
        if (Math.abs(above) < 0.15) floor.push(isRemoved);
        if (above > 0.6 && above < 2) obstacles.push(isRemoved);
      }
    }
  }
  console.log(`${path}: a ground plane in ${found} of ${seen} frames of ${data}; nearer than ${FARTHEST} m there go`);
  for (const { clearance, floor, obstacles } of kinds)
    console.log(
      `points_ground_clearance ${clearance}: floor (within .15 m) ${share(floor)} points; obstacles (.6 to 2 m) ${share(obstacles)}`,
    );
  await model.close();
}

void new Command()
  .requiredOption('--data <folder>', 'recording with measured depth of a level camera')
  .requiredOption('--camera-height <metres>', 'of the camera above the ground')
  .option('--model <file>', 'ONNX model', defaultModelPath())
  .action(main)
  .parseAsync();
