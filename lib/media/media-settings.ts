import { SensoriumError } from '../errors.js';
import { parseDataUrlHeader } from './data-url.js';
import { checkIoOptions, checkProcessorOptions, HARMLESS_VIDEO_OPTIONS } from './media-option-rules.js';
import type { MediaOptions, MediaPart, MediaPolicy, Modality } from './types.js';
import { isDataUrl } from './url-guard.js';
import { mergeOptions, readVideoSettings, type ImageSettings, type VideoSettings } from './video-settings.js';

export { checkFps } from './media-option-rules.js';
export type { ImageSettings, VideoSettings } from './video-settings.js';

const DEFAULT_BACKGROUND: [number, number, number] = [255, 255, 255];
const MODALITIES: readonly Modality[] = ['image', 'video', 'audio'];

/** One part's options after merging and checking. */
export interface MediaSettings {
  /** Settings of pictures and of films; a modality reads what concerns it. */
  decode: VideoSettings;
  /** As the cache key takes them: what the client and the server asked for, merged. */
  ioKwargs: Record<string, unknown>;
  processorKwargs: Record<string, unknown>;
}

type Kwargs = Record<string, unknown>;

const NESTED_KWARGS: Record<Modality, readonly string[]> = {
  image: ['images_kwargs', 'image_kwargs'],
  video: ['videos_kwargs', 'video_kwargs'],
  audio: ['audio_kwargs'],
};
const ALL_NESTED = Object.values(NESTED_KWARGS).flat();

/** Flat processor options, with the modality's own nested group laid over them. */
function flattenProcessorKwargs(value: unknown, modality: Modality): Kwargs {
  const kwargs = readRecord(value, 'mm_processor_kwargs');
  const flat: Kwargs = {};
  for (const [name, option] of Object.entries(kwargs)) if (!ALL_NESTED.includes(name)) flat[name] = option;
  for (const name of NESTED_KWARGS[modality]) {
    Object.assign(flat, readRecord(kwargs[name], `mm_processor_kwargs.${name}`));
  }
  return flat;
}

function readRecord(value: unknown, path: string): Kwargs {
  if (!isGiven(value)) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new SensoriumError('invalid_value', `${path} must be an object.`, { param: path });
  }
  return value as Kwargs;
}

/** The options of one group of a request or of the server, checked. Null leaves an option as it was. */
function readGroups(
  options: MediaOptions,
  modality: Modality,
  policy: MediaPolicy,
): { io: Kwargs; processor: Kwargs } {
  const ioPath = `media_io_kwargs.${modality}`;
  const io = readRecord(readRecord(options.mediaIoKwargs, 'media_io_kwargs')[modality], ioPath);
  checkIoOptions(io, modality, ioPath, policy);
  const processor = flattenProcessorKwargs(options.mmProcessorKwargs, modality);
  checkProcessorOptions(processor, 'mm_processor_kwargs', policy);
  return { io: withoutAbsent(io), processor: withoutAbsent(processor) };
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
  const { modality, options = {}, param } = part;
  const ofServer = readGroups(server, modality, policy);
  const ofRequest = readGroups(request, modality, policy);
  checkProcessorOptions(options, param, policy, param);
  const merged = mergeOptions({
    serverIo: withLoader(ofServer.io, modality, policy),
    requestIo: ofRequest.io,
    serverProcessor: ofServer.processor,
    requestProcessor: ofRequest.processor,
    part: withoutAbsent(options),
  });
  return {
    decode: { ...readImageSettings(merged.io), ...readVideoSettings(merged) },
    ioKwargs: withoutHarmless(merged.io),
    processorKwargs: merged.processor,
  };
}

/** The operator's sampler, where no option names one. */
function withLoader(io: Kwargs, modality: Modality, { videoLoader }: MediaPolicy): Kwargs {
  return modality === 'video' && videoLoader !== undefined ? { video_backend: videoLoader, ...io } : io;
}

function withoutHarmless(ioKwargs: Kwargs): Kwargs {
  return Object.fromEntries(
    Object.entries(ioKwargs).filter(([name]) => !HARMLESS_VIDEO_OPTIONS.includes(name)),
  );
}

function readImageSettings(kwargs: Kwargs): ImageSettings {
  if (kwargs['image_mode'] === null) return { background: undefined };
  const color = kwargs['rgba_background_color'] as ImageSettings['background'];
  return { background: color ?? DEFAULT_BACKGROUND };
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** Null leaves an option as it was, but for the one that null has a meaning for. */
function withoutAbsent(kwargs: Kwargs): Kwargs {
  return Object.fromEntries(
    Object.entries(kwargs).filter(
      ([name, value]) => isGiven(value) || (name === 'image_mode' && value === null),
    ),
  );
}

/**
 * Checks what a server is started with, by the rules of requests. Throws `invalid_option` naming the option as it is
 * called in process: `mediaIoKwargs.video.fps`.
 */
export function checkServerMediaOptions(options: MediaOptions, policy: MediaPolicy): void {
  try {
    for (const name of Object.keys(readRecord(options.mediaIoKwargs, 'media_io_kwargs'))) {
      if (!MODALITIES.includes(name as Modality)) {
        const reason = `media_io_kwargs knows ${MODALITIES.join(', ')}, not '${name.slice(0, 40)}'.`;
        throw new SensoriumError('invalid_option', reason, { param: 'media_io_kwargs' });
      }
    }
    for (const modality of MODALITIES) readGroups(options, modality, policy);
  } catch (error) {
    if (!(error instanceof SensoriumError)) throw error;
    const param = (error.param ?? '')
      .replace('media_io_kwargs', 'mediaIoKwargs')
      .replace('mm_processor_kwargs', 'mmProcessorKwargs');
    throw new SensoriumError('invalid_option', `The option ${param}: ${error.message}`, { param });
  }
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
