import type { Modality } from './types.js';

/** Options of vLLM's processors that only some modalities read. Any other may concern all of them. */
const READERS: Readonly<Record<string, readonly Modality[]>> = {
  fps: ['video'],
  num_frames: ['video'],
  min_frames: ['video'],
  max_frames: ['video'],
  nframes: ['video'],
  video_start: ['video'],
  video_end: ['video'],
  total_pixels: ['video'],
  do_sample_frames: ['video'],
  frame_recovery: ['video'],
  use_audio_in_video: ['video'],
  seconds_per_chunk: ['video'],
  position_id_per_seconds: ['video'],
  min_pixels: ['image', 'video'],
  max_pixels: ['image', 'video'],
  resized_height: ['image', 'video'],
  resized_width: ['image', 'video'],
  size: ['image', 'video'],
  do_resize: ['image', 'video'],
  sampling_rate: ['audio', 'video'],
};

/** The options that can change what an item of `modality` becomes: what the others mean must not part cache keys. */
export function optionsConcerning(
  modality: Modality,
  options: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const isRead = (name: string): boolean =>
    !Object.hasOwn(READERS, name) || (READERS[name] as readonly Modality[]).includes(modality);
  const entries = Object.entries(options).filter(
    ([name, value]) => isRead(name) && value !== undefined && value !== null,
  );
  return Object.fromEntries(entries);
}
