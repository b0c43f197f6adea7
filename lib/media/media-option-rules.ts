import { SensoriumError } from '../errors.js';
import type { MediaPolicy, Modality } from './types.js';
import { isSamplerName, SAMPLER_NAMES } from './video-samplers.js';

type Kwargs = Readonly<Record<string, unknown>>;
/** What a value must be, where it is not. */
type Rule = (value: unknown, policy: MediaPolicy) => string | undefined;
type Rules = Readonly<Record<string, Rule>>;

/** Frame rates above this are no frame rates. */
export const MAX_FPS = 1000;
/** Codecs that vLLM knows by name; all of them mean the same here. */
const CODECS = ['opencv', 'pyav', 'torchcodec', 'pynvvideocodec', 'deepstream', 'ffmpeg'];
const MAX_SIDE = 16_384;
const MAX_THREADS = 1024;
const MAX_INDEX = 2 ** 31 - 1;

export function isFps(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && value <= MAX_FPS;
}

/** Throws `invalid_value` unless `fps` is a rate of frames. */
export function checkFps(fps: number): void {
  const reason = rate(fps);
  if (reason !== undefined) throw new SensoriumError('invalid_value', `fps ${reason}.`);
}

const isWholeIn = (value: unknown, least: number, most: number): boolean =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;

const rate = (value: unknown): string | undefined =>
  isFps(value) ? undefined : `must be a number above 0 and at most ${MAX_FPS}`;

const boolean: Rule = (value) => (typeof value === 'boolean' ? undefined : 'must be a boolean');

const whole =
  (least: number, most: number): Rule =>
  (value) =>
    isWholeIn(value, least, most) ? undefined : `must be a whole number from ${least} to ${most}`;

const oneOf =
  (names: readonly string[]): Rule =>
  (value) =>
    names.includes(value as string) ? undefined : `must be one of ${names.join(', ')}`;

const seconds =
  (least: number): Rule =>
  (value, { maxVideoSeconds }) =>
    typeof value === 'number' && value >= least && value <= maxVideoSeconds
      ? undefined
      : `must be a number of seconds from ${least} to ${maxVideoSeconds}`;

const numFrames: Rule = (value, { maxVideoFrames }) =>
  isWholeIn(value, 1, maxVideoFrames) ? undefined : `must be a whole number from 1 to ${maxVideoFrames}`;

const numFramesOrAll: Rule = (value, { maxVideoFrames }) =>
  value === -1 || isWholeIn(value, 1, maxVideoFrames)
    ? undefined
    : `must be greater than 0 or -1 (all frames): a whole number, at most ${maxVideoFrames}`;

const indices: Rule = (value, { maxVideoFrames }) =>
  Array.isArray(value) &&
  value.length <= maxVideoFrames &&
  value.every((index) => isWholeIn(index, 0, MAX_INDEX))
    ? undefined
    : `must be a list of at most ${maxVideoFrames} whole numbers of at least 0`;

const color: Rule = (value) =>
  Array.isArray(value) && value.length === 3 && value.every((level) => isWholeIn(level, 0, 255))
    ? undefined
    : 'must be a list of 3 integers in the range [0, 255]';

const IMAGE_IO_RULES: Rules = {
  image_mode: (value) => (value === 'RGB' ? undefined : 'must be "RGB" or null'),
  rgba_background_color: color,
};

/** Rules of both kinds of options: a request may name them among either. */
const FRAME_RULES: Rules = {
  num_frames: numFramesOrAll,
  min_frames: numFrames,
  max_frames: numFrames,
  temporal_patch_size: whole(1, 64),
  do_sample_frames: boolean,
  frame_recovery: boolean,
  use_audio_in_video: boolean,
};

const VIDEO_IO_RULES: Rules = {
  ...IMAGE_IO_RULES,
  ...FRAME_RULES,
  fps: (value) => (value === -1 ? undefined : rate(value)),
  max_duration: seconds(0.001),
  video_backend: (value) => (isSamplerName(value) ? undefined : `must be one of ${SAMPLER_NAMES.join(', ')}`),
  backend: oneOf(CODECS),
  seek_mode: oneOf(['exact', 'approximate']),
  num_ffmpeg_threads: whole(0, MAX_THREADS),
  hw_decoders: whole(0, MAX_THREADS),
  pool_size: whole(0, MAX_THREADS),
  frames_indices: indices,
  total_num_frames: whole(1, MAX_INDEX),
  duration: seconds(0),
};

/** Options that change how fast a video is read, not what it becomes. */
export const HARMLESS_VIDEO_OPTIONS: readonly string[] = [
  'backend',
  'seek_mode',
  'num_ffmpeg_threads',
  'hw_decoders',
  'pool_size',
];

const pixels = whole(1, Number.MAX_SAFE_INTEGER);

const PROCESSOR_RULES: Rules = {
  ...FRAME_RULES,
  fps: rate,
  nframes: numFrames,
  do_resize: boolean,
  min_pixels: pixels,
  max_pixels: pixels,
  total_pixels: pixels,
  resized_height: whole(1, MAX_SIDE),
  resized_width: whole(1, MAX_SIDE),
  video_start: seconds(0),
  video_end: seconds(0),
};

const IO_RULES: Record<Modality, Rules> = { image: IMAGE_IO_RULES, video: VIDEO_IO_RULES, audio: {} };

/** Throws `invalid_value`, naming `path` and the option, for options of reading that are out of bounds. Null is none. */
export function checkIoOptions(kwargs: Kwargs, modality: Modality, path: string, policy: MediaPolicy): void {
  checkAll(kwargs, IO_RULES[modality], path, policy);
}

/** The same for options of the processor, flat. `param`, where given, is named for all of them. */
export function checkProcessorOptions(
  kwargs: Kwargs,
  path: string,
  policy: MediaPolicy,
  param?: string,
): void {
  checkAll(kwargs, PROCESSOR_RULES, path, policy, param);
  const { resized_height: height, resized_width: width } = kwargs;
  if (((height ?? undefined) === undefined) !== ((width ?? undefined) === undefined)) {
    throw invalid('resized_height', 'and resized_width must be given together', path, param);
  }
}

function checkAll(kwargs: Kwargs, rules: Rules, path: string, policy: MediaPolicy, param?: string): void {
  for (const [name, value] of Object.entries(kwargs)) {
    if (value === undefined || value === null || !Object.hasOwn(rules, name)) continue;
    const reason = (rules[name] as Rule)(value, policy);
    if (reason !== undefined) throw invalid(name, reason, path, param);
  }
}

function invalid(name: string, reason: string, path: string, param = `${path}.${name}`): SensoriumError {
  return new SensoriumError('invalid_value', `${name} ${reason}.`, { param });
}
