/** What a change of the model did to the picture: the last one of the model before beside the first one of the model after. */
import type { EncodedPicture } from './encodePictures';

interface Shown {
  readonly camera?: EncodedPicture;
  readonly depth: EncodedPicture;
}

interface Side extends Shown {
  readonly model: string;
}

/**
 * No message says which model made a depth map, but depth_node says once a second which one it runs. So "before" is what was shown when it last named the
 * old model, and "after" the first picture from after it named the new one: two frames of one road, not one frame twice.
 */
export class Comparison {
  before: Side | undefined;
  after: Side | undefined;
  /** Counts changes. */
  version = 0;
  #model = '';
  #sha256 = '';
  #latest: Shown | undefined;
  /** Shown when the running model was last named. */
  #confirmed: Shown | undefined;

  /** A picture that was just made. */
  show(pictures: Shown): void {
    this.#latest = pictures;
    if (!this.before || this.after) return;
    this.after = { ...pictures, model: this.#model };
    this.version++;
  }

  /** depth_node said what it runs. */
  running(model: string, sha256: string): void {
    if (this.#sha256 !== '' && sha256 !== this.#sha256 && this.#confirmed) {
      this.before = { ...this.#confirmed, model: this.#model };
      this.after = undefined;
      this.version++;
    }
    this.#model = model;
    this.#sha256 = sha256;
    this.#confirmed = this.#latest;
  }

  /** Header and payload of the view: the parts one after the other, each at a multiple of eight bytes. */
  pack(): { header: object; payload: Uint8Array } {
    const parts: Uint8Array[] = [];
    let length = 0;
    const add = (picture: EncodedPicture | undefined): object | undefined => {
      if (!picture) return undefined;
      const { header, payload } = picture;
      const padded = new Uint8Array(Math.ceil(payload.length / 8) * 8);
      padded.set(payload);
      const part = { ...header, offset: length, length: payload.length };
      parts.push(padded);
      length += padded.length;
      return part;
    };
    const side = (shown: Side | undefined): object | undefined =>
      shown && { model: shown.model, camera: add(shown.camera), depth: add(shown.depth) };
    const header = { before: side(this.before), after: side(this.after) };
    return { header, payload: Buffer.concat(parts) };
  }
}
