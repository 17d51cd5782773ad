/** Video files and v4l2 cameras, decoded by FFmpeg through node-av: one frame in memory at a time. */
import { open } from 'node:fs/promises';
import { FrameSourceError, type FrameSource, type FrameSourceOptions, type VideoFrame } from './frame';

type FFmpeg = typeof import('node-av/lib', { with: { 'resolution-mode': 'import' } });
type Constants = typeof import('node-av/constants', { with: { 'resolution-mode': 'import' } });
type FormatContext = InstanceType<FFmpeg['FormatContext']>;
type CodecContext = InstanceType<FFmpeg['CodecContext']>;

/** What one open file holds. All of it is FFmpeg's memory and must be freed. */
interface OpenVideo {
  readonly format: FormatContext;
  readonly decoder: CodecContext;
  readonly streamIndex: number;
  readonly secondsPerTick: number;
  readonly firstTick: bigint;
  readonly width: number;
  readonly height: number;
  readonly framesPerSecond: number;
  readonly frameCount?: number;
}

/** Frames missing at a file's end (edit lists, frames that only show others) before it counts as cut off: a twentieth, at least 2. */
const MISSING_SHARE = 0.05;

async function loadFFmpeg(): Promise<{ av: FFmpeg; constants: Constants }> {
  // node-av is an ES module: a CommonJS package has to import it late.
  const [av, constants] = await Promise.all([import('node-av/lib'), import('node-av/constants')]);
  // What goes wrong is thrown with the file's name; FFmpeg's own lines on stderr would only hide it.
  av.Log.setLevel(constants.AV_LOG_QUIET);
  return { av, constants };
}

async function openDecoder(path: string, kind: 'file' | 'camera'): Promise<OpenVideo> {
  const { av, constants } = await loadFFmpeg();
  const problem =
    kind === 'camera'
      ? 'the camera cannot be opened; is it used by another program, and are you in the group video?'
      : 'not a video FFmpeg can read; convert it to mp4, or copy it again if it was cut off';
  const format = new av.FormatContext();
  try {
    const input = kind === 'camera' ? av.InputFormat.findInputFormat('v4l2') : null;
    if (kind === 'camera' && !input)
      throw new FrameSourceError(path, 'this FFmpeg has no v4l2; cameras work on Linux only');
    const opened = await format.openInput(path, input);
    if (opened < 0) throw new FrameSourceError(path, `${problem} (FFmpeg: ${av.FFmpegError.strerror(opened)})`);
    const probed = await format.findStreamInfo();
    if (probed < 0) throw new FrameSourceError(path, `${problem} (FFmpeg: ${av.FFmpegError.strerror(probed)})`);
    const streamIndex = format.findBestStream(constants.AVMEDIA_TYPE_VIDEO);
    const stream = streamIndex >= 0 ? format.streams[streamIndex] : undefined;
    if (!stream) throw new FrameSourceError(path, 'the file holds no video stream, or was cut off before it');
    const parameters = stream.codecpar;
    const codec = av.Codec.findDecoder(parameters.codecId);
    if (!codec || !(parameters.width > 0 && parameters.height > 0)) {
      throw new FrameSourceError(
        path,
        `${problem} (no decoder for codec ${parameters.codecId}, ${parameters.width}x${parameters.height})`,
      );
    }
    const decoder = new av.CodecContext();
    decoder.allocContext3(codec);
    decoder.parametersToContext(parameters);
    decoder.pktTimebase = stream.timeBase;
    // One thread: 720p h264 takes 2-3 ms here, and the other cores belong to the network.
    decoder.threadCount = 1;
    const started = await decoder.open2(codec, null);
    if (started < 0) throw new FrameSourceError(path, `${problem} (FFmpeg: ${av.FFmpegError.strerror(started)})`);
    const rate = [stream.avgFrameRate, stream.rFrameRate].find((r) => r.num > 0 && r.den > 0);
    const count = Number(stream.nbFrames);
    return {
      format,
      decoder,
      streamIndex,
      secondsPerTick: stream.timeBase.num / stream.timeBase.den,
      firstTick: stream.startTime === constants.AV_NOPTS_VALUE ? 0n : stream.startTime,
      width: parameters.width,
      height: parameters.height,
      framesPerSecond: rate ? rate.num / rate.den : 25,
      frameCount: kind === 'file' && count > 0 ? count : undefined,
    };
  } catch (error) {
    await format.closeInput();
    throw error;
  }
}

async function closeDecoder({ format, decoder }: OpenVideo): Promise<void> {
  decoder.freeContext();
  await format.closeInput();
}

class VideoSource implements FrameSource {
  readonly width: number;
  readonly height: number;
  readonly framesPerSecond: number;
  readonly frameCount?: number;
  #closed = false;

  constructor(
    private readonly path: string,
    private readonly kind: 'file' | 'camera',
    private readonly options: FrameSourceOptions,
    first: OpenVideo,
  ) {
    this.width = first.width;
    this.height = first.height;
    this.framesPerSecond = first.framesPerSecond;
    this.frameCount = first.frameCount;
  }

  async close(): Promise<void> {
    // Each iteration opens and frees the file itself: it ends at the next frame.
    this.#closed = true;
  }

  async *frames(): AsyncGenerator<VideoFrame> {
    const start = this.kind === 'file' ? (this.options.start ?? 0) : 0;
    let index = 0;
    let loopBegan = 0;
    for (;;) {
      let firstSeconds: number | undefined;
      let lastSeconds = 0;
      for await (const { seconds, ...picture } of this.#once(start)) {
        if (this.#closed) return;
        firstSeconds ??= seconds;
        lastSeconds = loopBegan + seconds - firstSeconds;
        yield { index: index++, timestampSeconds: lastSeconds, ...picture };
        if (this.#closed) return;
      }
      if (firstSeconds === undefined) {
        throw new FrameSourceError(
          this.path,
          start > 0 ? `no frame at or after start = ${start} s` : 'no frame could be decoded',
        );
      }
      if (!this.options.loop) return;
      loopBegan = lastSeconds + 1 / this.framesPerSecond;
    }
  }

  async *#once(start: number): AsyncGenerator<{ seconds: number; width: number; height: number; data: Uint8Array }> {
    const { av, constants } = await loadFFmpeg();
    const video = await openDecoder(this.path, this.kind);
    const { format, decoder, streamIndex, secondsPerTick, firstTick } = video;
    const packet = new av.Packet();
    packet.alloc();
    const decoded = new av.Frame();
    decoded.alloc();
    const rgb = new RgbConverter(av, constants, this.path);
    const half = 0.5 / this.framesPerSecond;
    let count = 0;
    try {
      if (start > 0) {
        const tick = firstTick + BigInt(Math.round(start / secondsPerTick));
        await format.seekFrame(streamIndex, tick, constants.AVSEEK_FLAG_BACKWARD);
      }
      let readError = 0;
      for (let draining = false; !draining;) {
        const read = await format.readFrame(packet);
        if (read < 0) {
          draining = true;
          if (read !== constants.AVERROR_EOF) readError = read;
          await decoder.sendPacket(null);
        } else if (packet.streamIndex === streamIndex) {
          // A packet that does not decode (damage in the middle of a file) costs its frame, not the drive.
          await decoder.sendPacket(packet);
        }
        packet.unref();
        while ((await decoder.receiveFrame(decoded)) >= 0) {
          count++;
          const tick = decoded.bestEffortTimestamp;
          const known = tick !== constants.AV_NOPTS_VALUE;
          const seconds = known ? Number(tick - firstTick) * secondsPerTick : count / this.framesPerSecond;
          if (seconds >= start - half) yield { seconds, ...(await rgb.convert(decoded)) };
          decoded.unref();
        }
      }
      this.#checkEnd(count, start, readError === 0 ? '' : ` (FFmpeg: ${av.FFmpegError.strerror(readError)})`);
    } finally {
      rgb.free();
      decoded.free();
      packet.free();
      await closeDecoder(video);
    }
  }

  /** A file that was cut off plays up to the cut and then says so. */
  #checkEnd(count: number, start: number, reason: string): void {
    const { frameCount: promised } = this;
    const missing = promised === undefined || start > 0 ? 0 : promised - count;
    if (missing > Math.max(2, MISSING_SHARE * (promised ?? 0)) || (reason !== '' && count > 0 && missing > 0)) {
      throw new FrameSourceError(
        this.path,
        `cut off after ${count} of ${promised} frames${reason}; copy or download it again`,
      );
    }
    if (this.kind === 'camera')
      throw new FrameSourceError(this.path, `the camera stopped after ${count} frames${reason}`);
  }
}

/** Converts decoded pictures to rgb8 by the matrix and range the stream states (BT.709 for the sample drive). */
class RgbConverter {
  #scaler?: InstanceType<FFmpeg['SoftwareScaleContext']>;
  #target?: InstanceType<FFmpeg['Frame']>;

  constructor(
    private readonly av: FFmpeg,
    private readonly constants: Constants,
    private readonly path: string,
  ) {}

  async convert(source: InstanceType<FFmpeg['Frame']>): Promise<{ width: number; height: number; data: Uint8Array }> {
    const { width, height } = source;
    if (this.#target?.width !== width || this.#target.height !== height) {
      this.free();
      this.#scaler = new this.av.SoftwareScaleContext();
      this.#scaler.allocContext();
      this.#target = new this.av.Frame();
      this.#target.alloc();
      Object.assign(this.#target, { format: this.constants.AV_PIX_FMT_RGB24, width, height });
      this.av.FFmpegError.throwIfError(this.#target.allocBuffer(), `${this.path}: a ${width}x${height} rgb frame`);
    }
    const converted = (await this.#scaler?.scaleFrame(this.#target, source)) ?? -1;
    const plane = this.#target.data?.[0];
    if (converted < 0 || !plane)
      throw new FrameSourceError(this.path, `pixel format ${source.format} cannot be turned into rgb`);
    const step = this.#target.linesize[0];
    const rowBytes = width * 3;
    const data = new Uint8Array(height * rowBytes);
    if (step === rowBytes) data.set(plane.subarray(0, data.length));
    else
      for (let row = 0; row < height; row++)
        data.set(plane.subarray(row * step, row * step + rowBytes), row * rowBytes);
    return { width, height, data };
  }

  free(): void {
    this.#scaler?.freeContext();
    this.#target?.free();
    this.#scaler = undefined;
    this.#target = undefined;
  }
}

/** Opens a video file or a v4l2 camera; see openFrameSource. */
export async function openVideo(
  path: string,
  options: FrameSourceOptions,
  kind: 'file' | 'camera',
): Promise<FrameSource> {
  const readable = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new FrameSourceError(path, `cannot be read (${error.code}); check its permissions`);
  });
  await readable.close();
  const first = await openDecoder(path, kind);
  await closeDecoder(first);
  return new VideoSource(path, kind, options, first);
}
