import type { FrameResizer, VideoSampling } from '../processors/types.js';
import { decodeAnimation } from './animation.js';
import type { DecodeContext } from './decode-context.js';
import { formatRefused, invalidMedia, throwIfAborted, tooLarge } from './failure.js';
import { audioStreamBytes, decodeAudioStream } from './ffmpeg-audio.js';
import { demuxerOf, withTemporaryFile } from './ffmpeg.js';
import { probe, type VideoStream } from './ffprobe.js';
import { MAX_FRAMES_IN_WORK, type FrameSize } from './frame-sink.js';
import { sniffFormat, type MediaFormat } from './sniff.js';
import type { DecodedVideo, MediaPolicy } from './types.js';
import { extractFrames } from './video-frames.js';
import { checkedDecodedBytes, checkFrameLimit, chooseFrames } from './video-limits.js';
import type { VideoSettings } from './video-settings.js';

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
  checkFrameLimit({ width: video.width, height: video.height }, context.itemLimit);
  const { indices, numCandidates } = chooseFrames(video.numFrames, video.fps, settings, defaults, context);
  const sound = settings.useAudioInVideo ? audio : undefined;
  const numFrames = indices.length;
  const resizerOf = (size: FrameSize): FrameResizer | undefined => context.frameResizer?.(size, numFrames);
  const frameBytes = bytesOfFrames(video, numFrames, resizerOf(video));
  await context.reserve(
    checkedDecodedBytes(frameBytes, context.policy) + (sound ? audioStreamBytes(sound, context) : 0),
  );
  throwIfAborted(context.signal);
  const hasRecovery = settings.hasFrameRecovery ?? false;
  const read = await extractFrames({ path, format, stream: video, indices, hasRecovery, resizerOf }, context);
  return {
    kind: 'video',
    frames: read.frames,
    width: read.width,
    height: read.height,
    metadata: {
      fps: video.fps,
      totalNumFrames: video.numFrames,
      duration: video.duration,
      framesIndices: read.indices,
    },
    sampledFps: (read.indices.length / numCandidates) * video.fps,
    audio: sound ? await decodeAudioStream(path, format, sound, context) : undefined,
  };
}

/** Bytes of pixels that decoding holds: of the size that they are brought to while they come, where they become smaller. */
function bytesOfFrames(size: FrameSize, numFrames: number, resizer: FrameResizer | undefined): number {
  const bytesOf = ({ width, height }: FrameSize): number => width * height * 3;
  if (resizer === undefined) return numFrames * bytesOf(size);
  return numFrames * bytesOf(resizer) + Math.min(numFrames, MAX_FRAMES_IN_WORK) * bytesOf(size);
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
