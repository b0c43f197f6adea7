import { decodeAnimation } from './animation.js';
import type { DecodeContext } from './decode-context.js';
import { formatRefused, invalidMedia, throwIfAborted, tooLarge } from './failure.js';
import { audioStreamBytes, decodeAudioStream } from './ffmpeg-audio.js';
import { demuxerOf, inputOptions, passThroughOptions, runProgram, withTemporaryFile } from './ffmpeg.js';
import { probe, type VideoStream } from './ffprobe.js';
import type { VideoSettings } from './media-settings.js';
import { PpmFrames } from './ppm-frames.js';
import { sniffFormat, type MediaFormat } from './sniff.js';
import type { DecodedVideo, MediaPolicy } from './types.js';
import { checkedDecodedBytes, chooseFrames } from './video-limits.js';
import type { VideoSampling } from '../processors/types.js';

/** Exact chroma upsampling and rounding, so that frames do not depend on the CPU. */
const SCALER_FLAGS = 'accurate_rnd+full_chroma_int+bitexact';

/**
 * Sampled frames of a clip, with its sound where `useAudioInVideo` asks for it. GIF and WebP animations are decoded in
 * process, the rest by ffmpeg. Throws `invalid_video`, `media_too_large`, `media_format_refused`, `ffmpeg_missing`.
 */
export async function decodeVideo(
  bytes: Uint8Array,
  settings: VideoSettings,
  defaults: VideoSampling,
  context: DecodeContext,
): Promise<DecodedVideo> {
  if (bytes.length === 0) throw invalidMedia('video', 'is empty');
  const format = sniffFormat(bytes);
  if (format === undefined) throw invalidMedia('video', 'is in no known format');
  if (format === 'gif' || format === 'webp') return await decodeAnimation(bytes, settings, defaults, context);
  if (demuxerOf(format) === undefined) throw formatRefused('video', format.toUpperCase());
  return await withTemporaryFile(bytes, (path) => decodeFile(path, format, settings, defaults, context));
}

async function decodeFile(
  path: string,
  format: MediaFormat,
  settings: VideoSettings,
  defaults: VideoSampling,
  context: DecodeContext,
): Promise<DecodedVideo> {
  const { video, audio } = await probe(path, format, 'video', context);
  if (video === undefined) throw invalidMedia('video', 'has no pictures in it');
  checkVideoStream(video, context.policy);
  const indices = chooseFrames(video.numFrames, video.fps, settings, defaults, context.policy);
  const sound = settings.useAudioInVideo ? audio : undefined;
  const frameBytes = indices.length * video.width * video.height * 3;
  await context.reserve(
    checkedDecodedBytes(frameBytes, context.policy) + (sound ? audioStreamBytes(sound, context) : 0),
  );
  throwIfAborted(context.signal);
  const frames = await decodeFrames(path, format, video, indices, context);
  return {
    kind: 'video',
    frames: frames.list,
    width: frames.width,
    height: frames.height,
    metadata: {
      fps: video.fps,
      totalNumFrames: video.numFrames,
      duration: video.duration,
      framesIndices: indices.slice(0, frames.list.length),
    },
    sampledFps: (indices.length / video.numFrames) * video.fps,
    audio: sound ? await decodeAudioStream(path, format, sound, context) : undefined,
  };
}

function checkVideoStream(stream: VideoStream, policy: MediaPolicy): void {
  const { width, height, numFrames, fps, duration } = stream;
  if (width < 1 || height < 1 || numFrames < 1) throw invalidMedia('video', 'has no pictures in it');
  if (!(fps > 0)) throw invalidMedia('video', 'does not say its frame rate');
  if (width * height > policy.maxImagePixels) {
    throw tooLarge(
      'video',
      `has ${width} x ${height} pixels a frame, more than the limit of ${policy.maxImagePixels}`,
    );
  }
  if (Math.max(duration, numFrames / fps) > policy.maxVideoSeconds) {
    throw tooLarge('video', `is longer than the limit of ${policy.maxVideoSeconds} seconds`);
  }
}

interface Frames {
  list: Uint8Array[];
  width: number;
  height: number;
}

async function decodeFrames(
  path: string,
  format: MediaFormat,
  stream: VideoStream,
  indices: number[],
  context: DecodeContext,
): Promise<Frames> {
  const { ffmpegPath } = context.policy;
  const frames = new PpmFrames(indices.length, stream.width * stream.height);
  const args = frameArguments(path, format, stream, indices, await passThroughOptions(ffmpegPath));
  const exitCode = await runProgram(ffmpegPath, args, {
    signal: context.signal,
    onOutput: (chunk) => frames.push(chunk),
  });
  const list = frames.complete;
  if (list.length === 0 || exitCode !== 0) throw invalidMedia('video', 'is damaged and cannot be decoded');
  return { list, width: frames.width, height: frames.height };
}

function frameArguments(
  path: string,
  format: MediaFormat,
  stream: VideoStream,
  indices: number[],
  passThrough: string[],
): string[] {
  const isEveryFrame = indices.length === stream.numFrames;
  const select = `select='${indices.map((index) => `eq(n,${index})`).join('+')}'`;
  const convert = `scale=flags=${SCALER_FLAGS},format=rgb24`;
  return [
    ...['-v', 'quiet', '-nostdin', '-threads', '4', ...inputOptions(path, format)],
    ...[
      '-map',
      `0:${stream.index}`,
      '-an',
      '-sn',
      '-dn',
      '-vf',
      isEveryFrame ? convert : `${select},${convert}`,
    ],
    ...[...passThrough, '-frames:v', `${indices.length}`, '-f', 'image2pipe', '-c:v', 'ppm', 'pipe:1'],
  ];
}
