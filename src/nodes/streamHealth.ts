/** What is wrong with a camera's stream, from how its frames of the last seconds fared. */
import type { FrameFault } from './tripletStream';

/** Counts since the start. */
export interface StreamCounts {
  readonly frames: number;
  /** Changes of the images' size. */
  readonly resolutions: number;
  readonly skipped: Readonly<Record<FrameFault, number>>;
}

/** Calls of `look` that are looked back over: seconds, in a node that looks once a second. */
const WINDOW = 5;
/** Share of the frames from which a fault names the stream. */
const SHARE = 0.5;

/** Faults of a stream that goes on so, in the order in which they are named. */
const LASTING: readonly [FrameFault, string][] = [
  ['rejected', 'the images cannot be read (the log names the field)'],
  ['no_camera_info', 'no usable camera_info: nothing can be learned without the focal length'],
  ['dark', 'the images are black, or too dark (min_brightness)'],
  ['saturated', 'the images are overexposed (max_saturated)'],
  ['upside_down', 'the images are upside-down since they were turned; ~/enable takes them as they are'],
  ['frozen', 'the stream is frozen: every image is the same'],
  [
    'unrelated',
    'neighbouring images have nothing in common: noise, or a camera that is thrown about (min_correlation)',
  ],
  ['blurred', 'the images are blurred or empty (min_sharpness)'],
  ['clock', 'header.stamp does not advance'],
  ['gap', 'the images are too far apart in time (max_gap)'],
];

/** Faults that are over at once. */
const MOMENTARY: readonly [FrameFault, string][] = [
  ['clock', 'header.stamp went back'],
  ['camera', 'camera_info changed'],
  ['unrelated', 'the view changed from one image to the next: a bump or a cut'],
];

export class StreamHealth {
  readonly #looks: StreamCounts[] = [];

  /** @returns what is wrong, or was within the window; undefined where nothing is */
  look({ frames: seen, resolutions, skipped }: StreamCounts): string | undefined {
    const now = { frames: seen, resolutions, skipped };
    this.#looks.push(now);
    if (this.#looks.length > WINDOW + 1) this.#looks.shift();
    const before = this.#looks[0];
    const frames = now.frames - before.frames;
    if (frames === 0) return 'no images arrive';
    const latest = this.#looks[this.#looks.length - 2] ?? before;
    if (now.frames === latest.frames && this.#looks.length > 2) return 'no images arrive any more';
    const since = (fault: FrameFault, look: StreamCounts): number => now.skipped[fault] - look.skipped[fault];
    const lasting = LASTING.find(([fault]) => since(fault, before) > SHARE * frames);
    if (lasting) return lasting[1];
    if (now.resolutions > before.resolutions) return 'the resolution of the images changed';
    return MOMENTARY.find(([fault]) => since(fault, before) > 0)?.[1];
  }
}
