import { SensoriumError, toSensoriumError } from '../errors.js';
import { parseDataUrlHeader } from './data-url.js';
import type { MediaOptions, MediaPart, MediaPolicy, Modality } from './types.js';
import { isDataUrl } from './url-guard.js';

/** Frame rates above this are no frame rates. */
const MAX_FPS = 1000;
const FPS_RULE = `must be a number above 0 and at most ${MAX_FPS}`;
const DEFAULT_BACKGROUND: [number, number, number] = [255, 255, 255];

export interface ImageSettings {
  /** Composite alpha over this colour (0-255); absent: alpha is dropped and hidden colours stay. */
  background?: [number, number, number] | undefined;
}

export interface VideoSettings extends ImageSettings {
  /** Frames per second to sample at. */
  fps?: number | undefined;
  /** Frames to spread evenly over the clip; 'all' keeps every frame. */
  numFrames?: number | 'all' | undefined;
  minFrames?: number | undefined;
  maxFrames?: number | undefined;
  useAudioInVideo: boolean;
}

/** One part's options after merging and checking. */
export interface MediaSettings {
  /** Settings of pictures and of films; a modality reads what concerns it. */
  decode: VideoSettings;
  /** As the cache key takes them: what the client and the server asked for, merged. */
  ioKwargs: Record<string, unknown>;
  processorKwargs: Record<string, unknown>;
}

type Kwargs = Record<string, unknown>;

/** Request options over the server's. A request that names one of `fps` and `num_frames` drops the server's other. */
export function mergeIoKwargs(server: Kwargs = {}, request: Kwargs = {}): Kwargs {
  const base = { ...server };
  if (isGiven(request['num_frames']) && !isGiven(request['fps'])) delete base['fps'];
  if (isGiven(request['fps']) && !isGiven(request['num_frames'])) delete base['num_frames'];
  return { ...base, ...request };
}

const NESTED_KWARGS: Record<Modality, readonly string[]> = {
  image: ['images_kwargs', 'image_kwargs'],
  video: ['videos_kwargs', 'video_kwargs'],
  audio: ['audio_kwargs'],
};
const ALL_NESTED = Object.values(NESTED_KWARGS).flat();

/** Flat processor options, with the modality's own nested group laid over them. */
function flattenProcessorKwargs(kwargs: Kwargs, modality: Modality): Kwargs {
  const flat: Kwargs = {};
  for (const [name, value] of Object.entries(kwargs)) if (!ALL_NESTED.includes(name)) flat[name] = value;
  for (const name of NESTED_KWARGS[modality]) Object.assign(flat, readRecord(kwargs[name], name));
  return flat;
}

function readRecord(value: unknown, name: string): Kwargs {
  if (!isGiven(value)) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw invalid(name, 'must be an object');
  return value as Kwargs;
}

/** Where the field `name` of the merged options was written: in the part, or in one of the request's groups. */
function pathOf(name: string, part: MediaPart, request: MediaOptions): string {
  const { modality, options, param } = part;
  if (name.startsWith('media_io_kwargs')) return name;
  if (name.endsWith('_kwargs')) return `mm_processor_kwargs.${name}`;
  if (isGiven(options?.[name])) return param;
  if (isGiven(flattenProcessorKwargs(request.mmProcessorKwargs ?? {}, modality)[name])) {
    return `mm_processor_kwargs.${name}`;
  }
  if (isGiven(request.mediaIoKwargs?.[modality]?.[name])) return `media_io_kwargs.${modality}.${name}`;
  return param;
}

/**
 * The options of one part: server defaults, then the request's, then the part's own. Every number is checked against the
 * policy here, before anything is fetched. Throws `invalid_value`, naming the field.
 */
export function readMediaSettings(
  part: MediaPart,
  server: MediaOptions,
  request: MediaOptions,
  policy: MediaPolicy,
): MediaSettings {
  try {
    return readMerged(part, server, request, policy);
  } catch (error) {
    const failure = toSensoriumError(error);
    if (failure.param === null) throw failure;
    throw failure.renamingParam(failure.param, pathOf(failure.param, part, request));
  }
}

function readMerged(
  part: MediaPart,
  server: MediaOptions,
  request: MediaOptions,
  policy: MediaPolicy,
): MediaSettings {
  const { modality } = part;
  const ioKwargs = mergeIoKwargs(
    readRecord(server.mediaIoKwargs?.[modality], `media_io_kwargs.${modality}`),
    readRecord(request.mediaIoKwargs?.[modality], `media_io_kwargs.${modality}`),
  );
  const processorKwargs = {
    ...flattenProcessorKwargs(server.mmProcessorKwargs ?? {}, modality),
    ...flattenProcessorKwargs(request.mmProcessorKwargs ?? {}, modality),
    ...(part.options ?? {}),
  };
  for (const name of ['min_pixels', 'max_pixels']) readCount(processorKwargs, name, Number.MAX_SAFE_INTEGER);
  if (processorKwargs['fps'] === -1) throw invalid('fps', FPS_RULE);
  const decode = {
    ...readImageSettings(ioKwargs),
    ...readVideoSettings({ ...ioKwargs, ...withoutAbsent(processorKwargs) }, policy),
  };
  return { decode, ioKwargs, processorKwargs };
}

function readImageSettings(kwargs: Kwargs): ImageSettings {
  const mode = kwargs['image_mode'];
  if (mode === null) return { background: undefined };
  if (mode !== undefined && mode !== 'RGB') throw invalid('image_mode', 'must be "RGB" or null');
  const color = kwargs['rgba_background_color'];
  if (!isGiven(color)) return { background: DEFAULT_BACKGROUND };
  const isColor =
    Array.isArray(color) && color.length === 3 && color.every((level) => isWholeIn(level, 0, 255));
  if (!isColor) throw invalid('rgba_background_color', 'must be a list of 3 integers in the range [0, 255]');
  return { background: color as [number, number, number] };
}

function readVideoSettings(kwargs: Kwargs, policy: MediaPolicy): Omit<VideoSettings, 'background'> {
  const useAudio = kwargs['use_audio_in_video'];
  if (isGiven(useAudio) && typeof useAudio !== 'boolean')
    throw invalid('use_audio_in_video', 'must be a boolean');
  return {
    fps: readFps(kwargs['fps']),
    numFrames: kwargs['num_frames'] === -1 ? 'all' : readCount(kwargs, 'num_frames', policy.maxVideoFrames),
    minFrames: readCount(kwargs, 'min_frames', policy.maxVideoFrames),
    maxFrames: readCount(kwargs, 'max_frames', policy.maxVideoFrames),
    useAudioInVideo: useAudio === true,
  };
}

/** -1 means "not limiting" among the options of reading. */
function readFps(value: unknown): number | undefined {
  if (!isGiven(value) || value === -1) return undefined;
  if (!isFps(value)) throw invalid('fps', FPS_RULE);
  return value;
}

function isFps(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && value <= MAX_FPS;
}

/** Throws `invalid_value` unless `fps` is a rate of frames. */
export function checkFps(fps: number): void {
  if (!isFps(fps)) throw new SensoriumError('invalid_value', `fps ${FPS_RULE}.`);
}

function readCount(kwargs: Kwargs, name: string, most: number): number | undefined {
  const value = kwargs[name];
  if (!isGiven(value)) return undefined;
  if (!isWholeIn(value, 1, most)) throw invalid(name, `must be a whole number from 1 to ${most}`);
  return value as number;
}

function isWholeIn(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function withoutAbsent(kwargs: Kwargs): Kwargs {
  return Object.fromEntries(Object.entries(kwargs).filter(([, value]) => isGiven(value)));
}

function invalid(name: string, reason: string): SensoriumError {
  return new SensoriumError('invalid_value', `${name} ${reason}.`, { param: name });
}

/** The pieces of `data:video/jpeg;base64,f0,f1,...`, or undefined where the URL is something else. */
export function splitFrameList(url: string, maxFrames: number): string[] | undefined {
  if (!isDataUrl(url)) return undefined;
  const header = parseDataUrlHeader(url);
  if (header.mediaType !== 'video/jpeg' || !header.isBase64) return undefined;
  const pieces = url.slice(header.payloadStart).split(',', maxFrames + 1);
  if (pieces.length > maxFrames) {
    throw new SensoriumError('invalid_video', `The video has more than ${maxFrames} frames.`);
  }
  return pieces;
}
