/** The learner's models on their way to depth_node: packed from the factory model, numbered, signed, sent, and followed to the answer. */
import type { KeyObject } from 'node:crypto';
import { readUpdateVersion, writeUpdateVersion } from '../adaptation/updateVersion';
import type { ModelFile } from '../inference/modelFile';
import { packModelUpdate, packReturn, short, type ModelUpdate } from '../inference/modelUpdate';
import type { ModelSender } from './modelSender';
import type { Time } from './ros/cdr';
import type { ModelAnswer } from './ros/modelMessages';
import type { Logger } from './ros/rclnodejs';
import { oneLine } from './ros/throttledLog';

/** Between two tries to write the version. */
const RETRY_MS = 5000;

export interface HandOverOptions {
  readonly sender: Pick<ModelSender, 'acks$' | 'send' | 'topic'>;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Full name of the receiving node. */
  readonly depthNode: string;
  readonly factory: ModelFile;
  /** Where the version is kept, so that it rises over restarts. */
  readonly folder: string;
  readonly privateKey?: KeyObject;
  /** depth_node gave up the model that is published, because it failed on a frame. */
  readonly onGivenUp: (reason: string) => void;
}

interface Sent {
  readonly update: ModelUpdate;
  readonly stamp: Time;
  /** The model's bytes; undefined for the factory model. */
  readonly onnx: Uint8Array | undefined;
}

export class ModelHandOver {
  accepted = 0;
  refused = 0;
  /** Why the last update was refused; undefined since one was accepted. */
  refusal?: string;
  /** What depth_node runs, by its last answer. */
  runningSha256 = '';
  /** What could not be written. */
  storageFault?: string;
  readonly #options: HandOverOptions;
  #version: number;
  #lastSha256: string;
  #sent?: Sent;
  #retry?: NodeJS.Timeout;

  constructor(options: HandOverOptions) {
    this.#options = options;
    const { version, sha256 } = readUpdateVersion(options.folder);
    this.#version = version;
    this.#lastSha256 = sha256 ?? options.factory.description.sha256;
    options.sender.acks$.subscribe((answer) => this.#hear(answer));
  }

  /** Of the last update, those of earlier processes included. */
  get version(): number {
    return this.#version;
  }

  /** Bytes of the last update. */
  get updateBytes(): number {
    return this.#sent?.update.data.length ?? 0;
  }

  /**
   * What is published as this process starts: goes out again, for a depth_node gets only what a living process has sent. Where it is the factory
   * model, only if an earlier process had sent another one.
   */
  resume(onnx: Uint8Array | undefined): void {
    if (onnx || this.#lastSha256 !== this.#options.factory.description.sha256) this.send(onnx);
  }

  /** @param onnx undefined: back to the factory model */
  send(onnx: Uint8Array | undefined): void {
    const { factory, privateKey, sender, log } = this.#options;
    const version = ++this.#version;
    const parentSha256 = factory.description.sha256;
    const update = onnx
      ? packModelUpdate({ bytes: onnx, parent: factory.bytes, version, privateKey })
      : packReturn({ version, sha256: parentSha256, parentSha256, privateKey });
    this.#lastSha256 = update.sha256;
    this.#remember();
    this.#sent = { update, onnx, stamp: sender.send(update) };
    const { kind, data, sha256 } = update;
    log.info(`model update ${version} (${kind}, ${data.length} bytes, sha256 ${short(sha256)}) on ${sender.topic}`);
  }

  /** Where the disk is full, again until there is room. */
  #remember(): void {
    clearTimeout(this.#retry);
    try {
      writeUpdateVersion(this.#options.folder, { version: this.#version, sha256: this.#lastSha256 });
      this.storageFault = undefined;
    } catch (error) {
      if (!this.storageFault) this.#options.log.warn((error as Error).message);
      this.storageFault = (error as Error).message;
      this.#retry = setTimeout(() => this.#remember(), RETRY_MS).unref();
    }
  }

  #hear({ reason: given, ...rest }: ModelAnswer): void {
    const answer = { ...rest, reason: oneLine(given) };
    this.runningSha256 = answer.runningSha256;
    const sent = this.#sent;
    if (!sent) return;
    const { update, stamp } = sent;
    const { log, depthNode, onGivenUp } = this.#options;
    const { sec, nanosec } = answer.updateStamp;
    const isAnswer = sec === stamp.sec && nanosec === stamp.nanosec;
    if (!isAnswer) {
      const ours = answer.sha256 === update.sha256 && answer.version === update.version;
      const givenUp = !answer.accepted && sec === 0 && nanosec === 0 && ours && answer.runningSha256 !== update.sha256;
      if (givenUp && sent.onnx) onGivenUp(`${depthNode} gave it up: ${answer.reason}`);
      return;
    }
    if (answer.accepted) {
      this.accepted++;
      this.refusal = undefined;
      const waited = answer.swapMilliseconds.toFixed(1);
      log.info(`${depthNode} runs update ${answer.version}; frames waited ${waited} ms for it`);
      return;
    }
    if (answer.version <= answer.runningVersion) {
      // Another sender's version, or one of a folder that is gone, is above ours.
      this.#version = answer.runningVersion;
      this.send(sent.onnx);
      return;
    }
    this.refused++;
    this.refusal = `update ${answer.version}: ${answer.reason}`;
    log.warn(`${depthNode} refused update ${answer.version}: ${answer.reason}`);
  }
}
