/** What is wrong with depth_node's camera, for /diagnostics: by what came of its images, looked at once a second. */
import type { DiagnosticStatus } from './ros/messages';

/** Once a camera that publishes at all has missed so many seconds, something is wrong; */
const WARN_AFTER_MS = 1000;
/** and after so many it is gone. */
const ERROR_AFTER_MS = 5000;

export interface CameraPicture {
  readonly imageTopic: string;
  /** Publishers of images that this node is matched with. */
  readonly publishers: number;
  /** When the last image came, or else when the node began to wait for one; milliseconds. */
  readonly lastImageMs: number;
  /** Counts that only go up. */
  readonly framesIn: number;
  readonly rejected: number;
  readonly black: number;
  readonly hasCameraInfo: boolean;
  /** Why topics of this node stay empty (ros/topicFaults.ts). */
  readonly topicFaults: readonly string[];
}

export type Finding = Pick<DiagnosticStatus, 'level' | 'message'>;

export class CameraHealth {
  #before = { framesIn: 0, rejected: 0, black: 0 };

  /** The worst level, and every cause. */
  look(nowMs: number, picture: CameraPicture): Finding {
    const { framesIn, rejected, black } = picture;
    const before = this.#before;
    this.#before = { framesIn, rejected, black };
    const arrived = framesIn - before.framesIn;
    const refused = rejected - before.rejected;
    const dark = black - before.black;
    const findings: Finding[] = [];
    const find = (level: Finding['level'], message: string): void => void findings.push({ level, message });

    const silentMs = nowMs - picture.lastImageMs;
    if (silentMs >= WARN_AFTER_MS) {
      const level = silentMs >= ERROR_AFTER_MS ? 2 : 1;
      find(level, `no image on ${picture.imageTopic} for ${(silentMs / 1000).toFixed(0)} s${whence(picture)}`);
    }
    // Where images do come, another end that cannot be heard is less of a fault.
    for (const fault of picture.topicFaults) find(silentMs >= WARN_AFTER_MS ? 2 : 1, fault);
    if (refused > 0) {
      const which = refused >= arrived ? 'all' : `${refused} of ${arrived}`;
      find(refused >= arrived ? 2 : 1, `${which} images are refused: the log names the field`);
    }
    if (dark > 0 && dark >= arrived - refused) find(1, 'the images are black');
    if (!picture.hasCameraInfo && framesIn > 0) {
      find(1, 'no usable camera_info: ego-motion and scale are unavailable');
    }
    if (findings.length === 0) return { level: 0, message: 'images arrive' };
    const level = Math.max(...findings.map((one) => one.level)) as Finding['level'];
    return { level, message: findings.map(({ message }) => message).join('; ') };
  }
}

function whence({ publishers, topicFaults }: CameraPicture): string {
  if (topicFaults.length > 0) return '';
  if (publishers === 0) return ': nobody publishes there';
  return publishers === 1 ? ': its publisher is silent' : `: its ${publishers} publishers are silent`;
}
