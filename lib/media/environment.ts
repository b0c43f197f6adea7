import { SensoriumError } from '../errors.js';
import type { MediaPolicy } from './types.js';
import { isSamplerName, SAMPLER_NAMES } from './video-samplers.js';

const MIB = 1024 * 1024;
/** libvips' own cap, used where an operator switches the pixel limit off. */
const LARGEST_IMAGE_PIXELS = 268_402_689;
/** Where an operator switches the limit of downloads off: what is in flight bounds them still. */
export const UNLIMITED_BYTES = Number.MAX_SAFE_INTEGER;

/** Variables that are read, behind `SENSORIUM_` or `VLLM_`. */
export const VARIABLES = [
  'IMAGE_FETCH_TIMEOUT',
  'AUDIO_FETCH_TIMEOUT',
  'VIDEO_FETCH_TIMEOUT',
  'MEDIA_FETCH_MAX_RETRIES',
  'MEDIA_URL_ALLOW_REDIRECTS',
  'MEDIA_LOADING_THREAD_COUNT',
  'ALLOW_PRIVATE_MEDIA_ADDRESSES',
  'MAX_MEDIA_DOWNLOAD_SIZE_MB',
  'MAX_AUDIO_CLIP_FILESIZE_MB',
  'MAX_IMAGE_PIXELS',
  'MAX_AUDIO_DECODE_DURATION_S',
  'MAX_AUDIO_DECODE_BYTES',
  'MAX_EMBED_DECODE_BYTES',
  'MAX_VIDEO_FRAMES',
  'MAX_VIDEO_DURATION_S',
  'MAX_MEDIA_IN_FLIGHT_MB',
  'VIDEO_LOADER_BACKEND',
  'FFMPEG_PATH',
  'FFPROBE_PATH',
] as const;

type Suffix = (typeof VARIABLES)[number];
export type Environment = Record<string, string | undefined>;

interface Variable {
  name: string;
  value: string;
}

/** `SENSORIUM_<suffix>`, else `VLLM_<suffix>`; empty counts as absent. */
function readVariable(env: Environment, suffix: Suffix): Variable | undefined {
  for (const prefix of ['SENSORIUM_', 'VLLM_']) {
    const value = env[prefix + suffix];
    if (value !== undefined && value.trim() !== '') return { name: prefix + suffix, value: value.trim() };
  }
  return undefined;
}

function readNumber(env: Environment, suffix: Suffix, least: number): number | undefined {
  const variable = readVariable(env, suffix);
  if (variable === undefined) return undefined;
  const number = Number(variable.value);
  if (!Number.isFinite(number) || number < least) {
    throw new SensoriumError('invalid_option', `${variable.name} must be a number of at least ${least}.`);
  }
  return number;
}

function readFlag(env: Environment, suffix: Suffix): boolean | undefined {
  const variable = readVariable(env, suffix);
  if (variable === undefined) return undefined;
  const value = variable.value.toLowerCase();
  if (['1', 'true', 'yes', 'on'].includes(value)) return true;
  if (['0', 'false', 'no', 'off'].includes(value)) return false;
  throw new SensoriumError('invalid_option', `${variable.name} must be 0 or 1.`);
}

function readSampler(env: Environment): string | undefined {
  const variable = readVariable(env, 'VIDEO_LOADER_BACKEND');
  if (variable === undefined || isSamplerName(variable.value)) return variable?.value;
  throw new SensoriumError(
    'invalid_option',
    `${variable.name} must be one of ${SAMPLER_NAMES.join(', ')}, not '${variable.value.slice(0, 40)}'.`,
  );
}

function scaled(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : Math.round(value * factor);
}

function whole(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.floor(value);
}

export function withoutAbsent<T extends object>(values: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** Media decoded and preprocessed at the same time, where the environment says it. Throws `invalid_option`. */
export function numWorkersFromEnvironment(env: Environment): number | undefined {
  return whole(readNumber(env, 'MEDIA_LOADING_THREAD_COUNT', 1));
}

/**
 * What the environment says about media. Each variable may be spelled `SENSORIUM_...` or `VLLM_...`; times are in
 * seconds, sizes in MiB. Throws `invalid_option` naming the variable.
 */
export function mediaPolicyFromEnvironment(env: Environment): Partial<MediaPolicy> {
  const downloadMib = readNumber(env, 'MAX_MEDIA_DOWNLOAD_SIZE_MB', 0);
  const maxDownloadBytes = downloadMib === 0 ? UNLIMITED_BYTES : scaled(downloadMib, MIB);
  const attempts = readNumber(env, 'MEDIA_FETCH_MAX_RETRIES', 0);
  const maxImagePixels = readNumber(env, 'MAX_IMAGE_PIXELS', 0);
  return withoutAbsent<MediaPolicy>({
    ...(readFlag(env, 'MEDIA_URL_ALLOW_REDIRECTS') === false ? { maxRedirects: 0 } : {}),
    allowPrivateMediaAddresses: readFlag(env, 'ALLOW_PRIVATE_MEDIA_ADDRESSES'),
    imageFetchTimeoutMs: scaled(readNumber(env, 'IMAGE_FETCH_TIMEOUT', 0.001), 1000),
    audioFetchTimeoutMs: scaled(readNumber(env, 'AUDIO_FETCH_TIMEOUT', 0.001), 1000),
    videoFetchTimeoutMs: scaled(readNumber(env, 'VIDEO_FETCH_TIMEOUT', 0.001), 1000),
    // Attempts in all: without any nothing would be fetched.
    maxFetchAttempts: attempts === undefined ? undefined : Math.max(1, Math.floor(attempts)),
    maxImageBytes: maxDownloadBytes,
    maxVideoBytes: maxDownloadBytes,
    maxAudioBytes: scaled(readNumber(env, 'MAX_AUDIO_CLIP_FILESIZE_MB', 0.001), MIB) ?? maxDownloadBytes,
    maxImagePixels: maxImagePixels === 0 ? LARGEST_IMAGE_PIXELS : whole(maxImagePixels),
    maxEmbeddingBytes: whole(readNumber(env, 'MAX_EMBED_DECODE_BYTES', 1)),
    maxAudioSeconds: readNumber(env, 'MAX_AUDIO_DECODE_DURATION_S', 0.001),
    maxAudioDecodedBytes: whole(readNumber(env, 'MAX_AUDIO_DECODE_BYTES', 1)),
    maxVideoFrames: whole(readNumber(env, 'MAX_VIDEO_FRAMES', 1)),
    maxVideoSeconds: readNumber(env, 'MAX_VIDEO_DURATION_S', 0.001),
    maxInFlightBytes: scaled(readNumber(env, 'MAX_MEDIA_IN_FLIGHT_MB', 0.001), MIB),
    videoLoader: readSampler(env),
    ffmpegPath: readVariable(env, 'FFMPEG_PATH')?.value,
    ffprobePath: readVariable(env, 'FFPROBE_PATH')?.value,
  } as { [K in keyof MediaPolicy]: MediaPolicy[K] | undefined });
}
