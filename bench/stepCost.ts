/** What a step of the adaptation costs, with the encoder frozen and trained. Run in a process of its own: TensorFlow's threads are fixed at its start. */
import { readFileSync } from 'node:fs';
import { Learner } from '../src/adaptation/learner';
import { openDrive } from '../src/adaptation/sourceDrives';
import { SAMPLE_CAMERA } from '../src/training/flags';
import { percentiles } from '../src/demo/percentiles';
import type { StepCost } from './adaptReport';

const WARM_UP = 3;
/** Room for some dozen source triplets. */
const BUFFER_MEGABYTES = 96;
const ENCODER_RATE = 0.5;

/** Prints {frozen_encoder, trained_encoder} as one line of JSON. */
async function main(modelPath: string, recording: string, steps: number): Promise<void> {
  const onnx = readFileSync(modelPath);
  const drive = await openDrive(recording, SAMPLE_CAMERA);
  const measure = (encoderRate: number): StepCost => {
    const options = { encoderRate, bufferMegabytes: BUFFER_MEGABYTES, judgeEvery: 1e6, minMotion: 0 };
    const learner = new Learner(onnx, { ...options, stepsPerTriplet: 2 });
    learner.addSource([drive]);
    const { width, height, intrinsics, framesPerSecond } = drive;
    const image = new Uint8Array(3 * width * height);
    const first: number[] = [];
    const again: number[] = [];
    for (let frame = 0; again.length < steps + WARM_UP; frame++) {
      drive.readFrame(frame % drive.count, image);
      learner.push({ image, width, height, intrinsics, stamp: frame / framesPerSecond });
      // With the new triplet, and once more with the same: the difference is what taking it in costs.
      const taken = learner.step();
      const repeated = learner.step();
      if (!taken?.losses || !repeated?.losses) continue;
      first.push(taken.milliseconds);
      again.push(repeated.milliseconds);
    }
    learner.dispose();
    const [withIntake, without] = [first, again].map((all) => percentiles(all.slice(WARM_UP)).p50);
    return { step_ms: withIntake, intake_ms: withIntake - without };
  };
  const [frozen, trained] = [measure(0), measure(ENCODER_RATE)];
  drive.close();
  process.stdout.write(`${JSON.stringify({ frozen_encoder: frozen, trained_encoder: trained })}\n`);
}

const [modelPath, recording, steps] = process.argv.slice(2);
void main(modelPath, recording, Number(steps));
