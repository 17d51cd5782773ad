/** What is wrong with a camera's stream, from how its frames of the last seconds fared. */
import type { FrameFault } from './tripletStream';

/** Counts since the start. */
export interface StreamCounts {
  readonly frames: number;
  /** Changes of the images' size. */
  readonly resolutions: number;
  /** Stamps that were not above the one before. */
  readonly jumpsBack: number;
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

/** What is over at once, and named until it leaves the window. */
const EVENTS: readonly [fault: string, text: string, count: (counts: StreamCounts) => number][] = [
  ['clock', 'header.stamp went back', ({ jumpsBack }) => jumpsBack],
  ['resolution', 'the resolution of the images changed', ({ resolutions }) => resolutions],
  ['camera', 'camera_info changed', ({ skipped }) => skipped.camera],
  ['unrelated', 'the view changed from one image to the next: a bump or a cut', ({ skipped }) => skipped.unrelated],
];

export class StreamHealth {
  readonly #looks: StreamCounts[] = [];

  /** @returns what is wrong, or was within the window; undefined where nothing is */
  look({ frames, resolutions, jumpsBack, skipped }: StreamCounts): string | undefined {
    const now = { frames, resolutions, jumpsBack, skipped };
    this.#looks.push(now);
    if (this.#looks.length > WINDOW + 1) this.#looks.shift();
    const before = this.#looks[0];
    const arrived = frames - before.frames;
    if (arrived === 0) return 'no images arrive';
    const latest = this.#looks[this.#looks.length - 2] ?? before;
    if (frames === latest.frames && this.#looks.length > 2) return 'no images arrive any more';
    const lasting = LASTING.find(([fault]) => skipped[fault] - before.skipped[fault] > SHARE * arrived);
    // One must not hide the other: a stream that jumps may well be bad otherwise.
    const events = EVENTS.filter(([fault, , count]) => fault !== lasting?.[0] && count(now) > count(before));
    const causes = [...(lasting ? [lasting] : []), ...events].map(([, text]) => text);
    return causes.length > 0 ? causes.join('; ') : undefined;
  }
}
