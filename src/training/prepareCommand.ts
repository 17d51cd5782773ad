/** `depthgrad prepare PATH...`: recordings of any layout into the cache, as training reads them. */
import type { Command } from 'commander';
import { preparedFolder, resolveFile } from '../paths';
import type { PreparedDrive } from './datasets/prepared';
import { count, positiveInteger, SAMPLE_CAMERA, SAMPLE_DRIVES } from './flags';

interface PrepareFlags {
  camera: string;
  width?: number;
  height?: number;
  maxUnreadable: number;
}

/** What a drive has besides its images, for the line that is printed. */
function describeChannels(drive: PreparedDrive): string {
  const { depth, right, poses, speeds } = drive;
  const parts = [
    depth && `depth of ${depth.count}`,
    right && `right images of ${right.count}, baseline ${drive.baseline?.toFixed(4) ?? 'unknown'} m`,
    poses && `poses of ${poses.filter((pose) => pose !== undefined).length}`,
    speeds && `speeds of ${speeds.filter((speed) => !Number.isNaN(speed)).length}`,
  ].filter((part) => part !== undefined);
  return parts.length > 0 ? `; ${parts.join(', ')}` : '';
}

export function registerPrepare(program: Command): void {
  program
    .command('prepare')
    .description('undistort, crop and shrink recordings into the cache, as training reads them')
    .argument(
      '[recordings...]',
      'ROS 2 bags, videos, folders of pictures, or KITTI, TUM RGB-D, 7-Scenes, NYU in their own layouts; a bare name is looked for in the sample drive',
      SAMPLE_DRIVES,
    )
    .option(
      '--camera <yaml>',
      'camera file of videos and of pictures without a calib.yaml; scripts/calibrate.py makes one',
      SAMPLE_CAMERA,
    )
    .option('--width <pixels>', 'of the frames written (default: 416)', positiveInteger)
    .option('--height <pixels>', 'of the frames written (default: keeps the pixels’ shape)', positiveInteger)
    .option('--max-unreadable <n>', 'frames that cannot be read, named and left out before it gives up', count, 0)
    .action(async (paths: string[], { camera, ...options }: PrepareFlags) => {
      const { openRecording } = await import('./datasets/openRecording.js');
      const { prepare } = await import('./datasets/prepare.js');
      for (const path of paths) {
        const recording = await openRecording(resolveFile(path), { cameraFile: resolveFile(camera) });
        const drive = await prepare(recording, preparedFolder(), options);
        const { train, heldOut } = drive.split();
        console.log(
          `${drive.folder}: ${drive.count} frames of ${drive.width}x${drive.height}, trained on ${train[1]}, ${heldOut[1] - heldOut[0]} held out${describeChannels(drive)}`,
        );
        drive.close();
      }
    });
}
