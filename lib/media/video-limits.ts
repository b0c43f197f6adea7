import { tooLarge } from './failure.js';
import type { VideoSettings } from './media-settings.js';
import type { MediaPolicy } from './types.js';
import type { VideoSampling } from '../processors/types.js';
import { sampleFrames } from './video-sampling.js';

/** Sampled indices, held to the policy's frame cap. */
export function chooseFrames(
  total: number,
  fps: number,
  settings: VideoSettings,
  defaults: VideoSampling,
  policy: MediaPolicy,
): number[] {
  const indices = sampleFrames(total, fps, settings, defaults);
  if (indices.length > policy.maxVideoFrames) {
    throw tooLarge(
      'video',
      `has ${indices.length} frames to look at, more than the limit of ${policy.maxVideoFrames}`,
    );
  }
  return indices;
}

/** `numBytes`, which one clip may hold decoded: half of all media in flight. Throws `media_too_large`. */
export function checkedDecodedBytes(numBytes: number, policy: MediaPolicy): number {
  if (numBytes > policy.maxInFlightBytes / 2) {
    throw tooLarge(
      'video',
      'needs too much memory at this number of frames; ask for fewer with num_frames or fps',
    );
  }
  return numBytes;
}
