import { writeFile } from 'node:fs/promises';

/**
 * Encodes rgb8 pictures (each width * height * 3 bytes) into an mp4 by MPEG-4 part 2, whose decoder shows every frame at once,
 * nearly without loss.
 */
export async function makeVideo(
  path: string,
  width: number,
  height: number,
  rate: number,
  pictures: Uint8Array[],
): Promise<void> {
  const av = await import('node-av/lib');
  const constants = await import('node-av/constants');
  av.Log.setLevel(constants.AV_LOG_QUIET);
  const check = (code: number, what: string) => av.FFmpegError.throwIfError(code, what);
  const codec = av.Codec.findEncoderByName('mpeg4' as Parameters<typeof av.Codec.findEncoderByName>[0]);
  if (!codec) throw new Error('this FFmpeg has no mpeg4 encoder');
  const encoder = new av.CodecContext();
  encoder.allocContext3(codec);
  const timeBase = new av.Rational(1, rate);
  Object.assign(encoder, {
    width,
    height,
    timeBase,
    framerate: new av.Rational(rate, 1),
    pixelFormat: constants.AV_PIX_FMT_YUV420P,
    gopSize: 4,
    bitRate: 20_000_000n,
    flags: constants.AV_CODEC_FLAG_GLOBAL_HEADER,
  });
  check(await encoder.open2(codec, null), 'open the encoder');
  await writeFile(path, '');
  const format = new av.FormatContext();
  check(format.allocOutputContext2(null, 'mp4', path), 'make the mp4');
  const stream = format.newStream(codec);
  check(stream.codecpar.fromContext(encoder), 'copy the parameters');
  stream.timeBase = timeBase;
  check(await format.openOutput(), 'open the file');
  // The index goes to the front: a file that is cut off still opens, as a download that stopped would.
  check(await format.writeHeader(av.Dictionary.fromObject({ movflags: 'faststart' })), 'write the header');
  const scaler = new av.SoftwareScaleContext();
  scaler.allocContext();
  const packet = new av.Packet();
  packet.alloc();
  const drain = async () => {
    while ((await encoder.receivePacket(packet)) >= 0) {
      packet.streamIndex = stream.index;
      packet.duration = 1n;
      packet.rescaleTs(timeBase, stream.timeBase);
      check(await format.interleavedWriteFrame(packet), 'write a packet');
      packet.unref();
    }
  };
  for (const [index, picture] of pictures.entries()) {
    const rgb = av.Frame.fromVideoBuffer(Buffer.from(picture), { width, height, format: constants.AV_PIX_FMT_RGB24 });
    const yuv = new av.Frame();
    yuv.alloc();
    Object.assign(yuv, { format: constants.AV_PIX_FMT_YUV420P, width, height });
    check(yuv.allocBuffer(), 'allocate a frame');
    check(await scaler.scaleFrame(yuv, rgb), 'convert a frame');
    yuv.pts = BigInt(index);
    check(await encoder.sendFrame(yuv), 'encode a frame');
    await drain();
    yuv.free();
    rgb.free();
  }
  await encoder.sendFrame(null);
  await drain();
  check(await format.writeTrailer(), 'write the trailer');
  await format.closeOutput();
  format.freeContext();
  encoder.freeContext();
}
