/** Frames without truth and a frozen teacher's disparity of them, in random views, perturbed for the student on request. */
import type { FrameSequence } from '../datasets/dataset';
import type { TeacherLabels } from '../datasets/teacherLabels';
import type { TrainingBatch } from '../losses/loss';
import type { Random } from '../random';
import { randomView, ViewResizer, viewIntrinsics } from './augment';
import { viewMeasured } from './depthView';
import { framesOf, NoTargetsError, type DriveBatchOptions } from './drives';
import { perturbForStudent, type Perturbation } from './perturb';

export interface LabelledRecording {
  video: FrameSequence;
  labels: TeacherLabels;
}

export interface UnlabelledBatchOptions extends Pick<
  DriveBatchOptions,
  'minCrop' | 'validationShare' | 'part' | 'minMotion'
> {
  /** What the student's images go through; undefined leaves them as the teacher saw them. */
  student?: Perturbation;
}

export class UnlabelledBatches {
  readonly #resizer = new ViewResizer();
  readonly #frame: Uint8Array;
  readonly #labels: Float32Array;
  readonly #targets: (LabelledRecording & { index: number })[] = [];

  /** @throws NoTargetsError when no recording has a moving frame to train on */
  constructor(
    recordings: readonly LabelledRecording[],
    private readonly options: UnlabelledBatchOptions,
    private readonly random: Random,
  ) {
    for (const { video, labels } of recordings) {
      const [first, end] = framesOf(video, options);
      for (let index = first; index < end; index++) {
        // Frames of a car at rest are all the same; single pictures (-1) are not.
        const motion = video.motion[index];
        if (labels.has(index) && (motion < 0 || motion >= options.minMotion))
          this.#targets.push({ video, labels, index });
      }
    }
    if (this.#targets.length === 0)
      throw new NoTargetsError(
        `no unlabelled recording has moving frames in its ${options.part} part; lower data.min_motion`,
      );
    const largest = (sizes: { width: number; height: number }[]): number =>
      Math.max(...sizes.map(({ width, height }) => width * height));
    this.#frame = new Uint8Array(3 * largest(recordings.map(({ video }) => video)));
    this.#labels = new Float32Array(largest(recordings.map(({ labels }) => labels)));
  }

  get count(): number {
    return this.#targets.length;
  }

  /** The target stands in for the previous frame too: pasted pictures have no neighbours. */
  next(size: number, height: number, width: number): TrainingBatch {
    const { random, options } = this;
    const pixels = height * width;
    const target = new Float32Array(size * pixels * 3);
    const disparity = new Float32Array(size * pixels);
    const intrinsics: TrainingBatch['intrinsics'] = [];
    for (let b = 0; b < size; b++) {
      const { video, labels, index } = this.#targets[random.integer(this.#targets.length)];
      const view = randomView(random, video.width, video.height, options.minCrop[0], options.minCrop[1]);
      intrinsics.push(viewIntrinsics(video.intrinsics, view, height, width));
      video.readFrame(index, this.#frame);
      const image = target.subarray(3 * b * pixels, 3 * (b + 1) * pixels);
      this.#resizer.resize(this.#frame, video.width, video.height, view, image, height, width);
      labels.read(index, this.#labels);
      const [sx, sy] = [labels.width / video.width, labels.height / video.height];
      const { left, top, mirrored } = view;
      const ofLabels = { left: left * sx, top: top * sy, width: view.width * sx, height: view.height * sy, mirrored };
      const out = disparity.subarray(b * pixels, (b + 1) * pixels);
      viewMeasured(this.#labels, labels.width, labels.height, ofLabels, out, height, width);
    }
    const networkImages = new Float32Array(2 * target.length);
    networkImages.set(target);
    networkImages.set(target, target.length);
    const batch: TrainingBatch = {
      size,
      height,
      width,
      intrinsics,
      previous: target,
      target,
      networkImages,
      teacher: { disparity },
    };
    return options.student ? perturbForStudent(batch, random, options.student) : batch;
  }
}
