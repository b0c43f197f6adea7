import { SensoriumError } from '../errors.js';
import { invalidMedia, tooLarge } from './failure.js';
import { checkSoundLength, SoundError } from './mono-sink.js';
import { soundFailure, soundLimitsOf } from './sound-failure.js';
import type {
  DecodedAudio,
  DecodedImage,
  DecodedMedia,
  DecodedVideo,
  MediaPolicy,
  Modality,
} from './types.js';

/**
 * Media that a caller in process has decoded already, checked: shapes, sizes and the same limits as for encoded media. Frames of a
 * clip that does not tell their indices lie at its sampled rate.
 * Throws `invalid_type`, `invalid_image`, `invalid_video`, `invalid_audio`, `media_too_large`.
 */
export function checkDecodedMedia(
  media: DecodedMedia,
  modality: Modality,
  policy: MediaPolicy,
): DecodedMedia {
  if (media.kind !== modality) {
    throw new SensoriumError(
      'invalid_type',
      `Decoded ${media.kind} was given where ${modality} was expected.`,
    );
  }
  if (media.kind === 'video') return checkVideo(media, policy);
  if (media.kind === 'image') checkImage(media, policy);
  else checkAudio(media, policy);
  return media;
}

function checkImage({ data, width, height }: DecodedImage, policy: MediaPolicy): void {
  checkPixels('image', width, height, [data], policy);
}

function checkVideo(video: DecodedVideo, policy: MediaPolicy): DecodedVideo {
  const { frames, width, height, sampledFps, metadata, audio } = video;
  if (!Array.isArray(frames) || frames.length === 0) throw invalidMedia('video', 'has no frames');
  if (frames.length > policy.maxVideoFrames) {
    throw tooLarge('video', `has more than the limit of ${policy.maxVideoFrames} frames`);
  }
  checkPixels('video', width, height, frames, policy);
  const isRate = (fps: unknown): boolean => typeof fps === 'number' && fps > 0 && Number.isFinite(fps);
  if (!isRate(sampledFps) || !isRate(metadata?.fps)) throw invalidMedia('video', 'has no valid frame rate');
  if (audio !== undefined) checkAudio(audio, policy);
  return { ...video, metadata: { ...metadata, framesIndices: indicesOf(video) } };
}

/** Source index of each frame. */
function indicesOf({ frames, sampledFps, metadata }: DecodedVideo): number[] {
  const indices: unknown = metadata.framesIndices;
  if (indices === undefined) return frames.map((_, place) => (place * metadata.fps) / sampledFps);
  const isIndex = (index: unknown): boolean => Number.isFinite(index) && (index as number) >= 0;
  if (Array.isArray(indices) && indices.length === frames.length && indices.every(isIndex))
    return metadata.framesIndices;
  throw invalidMedia('video', `has framesIndices that are not ${frames.length} numbers from 0 on`);
}

function checkPixels(
  modality: 'image' | 'video',
  width: number,
  height: number,
  frames: Uint8Array[],
  policy: MediaPolicy,
): void {
  const isSize = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  if (!isSize) throw invalidMedia(modality, 'has no valid width and height');
  if (width * height > policy.maxImagePixels) {
    throw tooLarge(modality, `has more pixels than the limit of ${policy.maxImagePixels}`);
  }
  const isRgb = (frame: unknown): boolean =>
    frame instanceof Uint8Array && frame.length === width * height * 3;
  if (!frames.every(isRgb)) throw invalidMedia(modality, 'does not hold width x height x 3 bytes of RGB');
}

function checkAudio({ samples, samplingRate }: DecodedAudio, policy: MediaPolicy): void {
  if (!(samples instanceof Float32Array) || samples.length === 0)
    throw invalidMedia('audio', 'has no samples');
  if (!Number.isInteger(samplingRate) || samplingRate < 1000 || samplingRate > 384_000) {
    throw invalidMedia('audio', 'has no valid sampling rate');
  }
  const limits = soundLimitsOf(policy);
  try {
    checkSoundLength(samples.length, samplingRate, limits);
  } catch (error) {
    throw error instanceof SoundError ? soundFailure(error.fault, limits) : error;
  }
}
