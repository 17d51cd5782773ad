/** A frame of a data set that is there and cannot be read. The trainer names it, counts it and draws another. */
export class CorruptFrameError extends Error {
  override readonly name = 'CorruptFrameError';

  constructor(
    readonly file: string,
    readonly frame: number,
    reason: string,
  ) {
    super(`${file}: frame ${frame} ${reason}`);
  }
}
