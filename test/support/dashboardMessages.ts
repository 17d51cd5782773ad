/** What depth_node and adaptation_node say to dashboard_node, and one of each class of fault. */
import { ADAPTATION_STATES, writeAdaptationStatus, type AdaptationPicture } from '../../src/nodes/adaptationStatus';
import type { Header } from '../../src/nodes/ros/cdr';
import {
  floatImage,
  writeDepthGradient,
  writeDiagnosticArray,
  writeEgoMotion,
  writeImage,
  type EgoMotionMessage,
} from '../../src/nodes/ros/messages';
import { SKIP_REASONS } from '../../src/adaptation/frameGate';
import { STREAM_REASONS } from '../../src/nodes/tripletStream';
import { HEIGHT, IMAGE, WIDTH } from './depthNode';
import type { FaultClass } from './fuzz';
import { bytes, cdr, header, headerClasses, odometry } from './fuzzMessages';

const INFERENCE = '/depth_node: Inference';
const RUNNING = '20.0 frames/s';
const MOST_STATUSES = 50;

/** What the page's numbers are to say. */
export const AdaptationStatusFields = {
  diagnostics: { name: INFERENCE, message: RUNNING },
  adaptation: { state: ADAPTATION_STATES[0] },
} as const;

const still: EgoMotionMessage = {
  header,
  previousStamp: { sec: 76, nanosec: 0 },
  position: [0, 0, 0.1],
  orientation: [0, 0, 0, 1],
  poseCovariance: new Float64Array(36),
  linear: [0, 0, 1],
  angular: [0, 0, 0],
  twistCovariance: new Float64Array(36),
  scale: 1,
  scaleVariance: Infinity,
  scaleSource: 1,
  quality: 0.5,
};

export class DashboardMessages {
  /** A map of float32, 0 to 200 times `unit`. */
  map(of: Header, unit: number): Buffer {
    const values = Float32Array.from({ length: WIDTH * HEIGHT }, (_, i) => unit * (i % 200));
    return bytes(writeImage(cdr(), floatImage(of, HEIGHT, WIDTH, values)));
  }

  mapFaults(topic: string): FaultClass[] {
    const map = this.map(header, 1);
    const of = (width: number, height: number, encoding: string, length = 0): Buffer =>
      bytes(
        writeImage(cdr(), {
          header,
          width,
          height,
          encoding,
          isBigEndian: false,
          step: 0,
          data: new Uint8Array(length),
        }),
      );
    const faults: [string, Buffer, string][] = [
      ['cut off in its stamp', map.subarray(0, 8), 'CDR message of 8 bytes'],
      ['that says it is huge', of(2 ** 31, 2 ** 31, '32FC1'), 'data has 0 bytes'],
      ['of another encoding', of(4, 4, 'x\n[FATAL] forged', 64), 'encoding is "x \\[FATAL\\] forged"'],
    ];
    return this.#classes(topic, faults, (own) => this.map(own, 1));
  }

  gradient(of: Header): Buffer {
    const values = Float32Array.from({ length: 2 * WIDTH * HEIGHT }, (_, i) => Math.sin(i));
    return bytes(writeDepthGradient(cdr(), of, HEIGHT, WIDTH, values));
  }

  gradientFaults(topic: string): FaultClass[] {
    const whole = this.gradient(header);
    const faults: [string, Buffer, string][] = [
      ['cut off in its stamp', whole.subarray(0, 8), 'CDR message of 8 bytes'],
      [
        'of another encoding',
        bytes(writeDepthGradient(cdr(), header, 0, 0, new Float32Array(0))),
        'encoding is "32FCNaN"',
      ],
    ];
    return this.#classes(topic, faults, (own) => this.gradient(own));
  }

  egoMotion(changes: Partial<EgoMotionMessage>): Buffer {
    return bytes(writeEgoMotion(cdr(), { ...still, ...changes }));
  }

  egoMotionFaults(topic: string): FaultClass[] {
    const make = (changes: Partial<EgoMotionMessage>): Buffer => this.egoMotion(changes);
    const faults: [string, Buffer, string][] = [
      ['cut off', make({}).subarray(0, 40), '\\S+ of \\d+ bytes ends inside'],
      ['somewhere unknown', make({ position: [0, NaN, 0] }), 'pose.position.y is NaN'],
      ['too fast', make({ linear: [0, 0, -Infinity] }), 'twist.linear.z is -Infinity'],
      ['no rotation', make({ orientation: [0, 0, 0, 0] }), 'pose.orientation is 0 0 0 0, which is no rotation'],
      ['of no scale', make({ scale: NaN }), 'scale is NaN'],
      ['of no variance', make({ scaleVariance: -1 }), 'scale_variance is -1'],
      ['of no quality', make({ quality: NaN }), 'quality is NaN'],
      ['of no source', make({ scaleSource: 200 }), 'scale_source is 200'],
    ];
    return this.#classes(topic, faults, (own) => make({ header: own }));
  }

  odometryFaults(topic: string): FaultClass[] {
    const nowhere = odometry({});
    const position = 4 + 8 + 4 + 'front_optical'.length + 1;
    // behind header and child_frame_id "base_link", at a multiple of eight
    const at = 4 + Math.ceil((Math.ceil((position - 4) / 4) * 4 + 4 + 10) / 8) * 8;
    nowhere.writeDoubleLE(NaN, at);
    const faults: [string, Buffer, string][] = [
      ['cut off', odometry({}).subarray(0, 40), '\\S+ of \\d+ bytes ends inside'],
      ['nowhere', nowhere, 'pose.position.x is NaN'],
    ];
    return this.#classes(topic, faults, (own) => odometry({ header: own }));
  }

  /** What depth_node says of itself, or a status of another name. */
  diagnostics(names: readonly string[] = [INFERENCE], of = header): Buffer {
    const status = {
      level: 0,
      message: RUNNING,
      hardwareId: IMAGE,
      values: { model_name: 'a', model_sha256: 'b' },
    } as const;
    return bytes(
      writeDiagnosticArray(
        cdr(),
        of,
        names.map((name) => ({ ...status, name })),
      ),
    );
  }

  diagnosticsFaults(topic: string): FaultClass[] {
    const names = Array.from({ length: 3 * MOST_STATUSES }, (_, i) => `/depth_node: made up ${i}`);
    const faults: [string, Buffer, string][] = [
      ['cut off', this.diagnostics().subarray(0, 40), '\\S+ of \\d+ bytes ends inside'],
      ['longer than any', this.diagnostics([`/depth_node: ${'x'.repeat(300_000)}`]), 'message has 30\\d{4} bytes'],
      ['of names without end', this.diagnostics(names), 'status is of /depth_node: made up \\d+, beyond the 50'],
    ];
    return this.#classes(topic, faults, (own) => this.diagnostics([INFERENCE], own));
  }

  status(): Buffer {
    const skipped = Object.fromEntries([...SKIP_REASONS, ...STREAM_REASONS].map((reason) => [reason, 0]));
    const picture: AdaptationPicture = {
      thread: undefined,
      fault: undefined,
      stream: {
        frames: 1,
        resolutions: 0,
        jumpsBack: 0,
        jumpedBack: 0,
        triplets: 0,
        skipped: skipped as AdaptationPicture['stream']['skipped'],
      },
      streamFault: undefined,
      topicFaults: [],
      handOver: { version: 0, accepted: 0, refused: 0, runningSha256: '', updateBytes: 0 },
    };
    return bytes(writeAdaptationStatus(cdr(), header.stamp, picture));
  }

  statusFaults(topic: string): FaultClass[] {
    return [
      ['cut off', this.status().subarray(0, 40), new RegExp(`${topic}: not shown: \\S+ of \\d+ bytes ends inside`)],
      [
        'longer than any',
        Buffer.concat([this.status(), Buffer.alloc(300_000)]),
        new RegExp(`${topic}: not shown: message has 30\\d{4} bytes`),
      ],
    ];
  }

  #classes(topic: string, faults: [string, Buffer, string][], make: (header: Header) => Buffer): FaultClass[] {
    const shown = faults.map(([name, message, says]): FaultClass => [
      name,
      message,
      new RegExp(`${topic}: not shown: ${says}`),
    ]);
    return [...shown, ...headerClasses(`${topic}: not shown`, make)];
  }
}
