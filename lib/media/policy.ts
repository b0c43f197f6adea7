import { totalmem } from 'node:os';
import { SensoriumError } from '../errors.js';
import type { MediaPolicy, Modality } from './types.js';
import { isSamplerName, SAMPLER_NAMES } from './video-samplers.js';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** libvips' own cap, used where an operator switches the pixel limit off. */
const LARGEST_IMAGE_PIXELS = 268_402_689;

/** Safe defaults: public http(s) only and everything bounded. */
export function defaultMediaPolicy(): MediaPolicy {
  return {
    allowPrivateMediaAddresses: false,
    allowedMediaDomains: [],
    maxImageBytes: 64 * MIB,
    maxAudioBytes: 64 * MIB,
    maxVideoBytes: 256 * MIB,
    maxEmbeddingBytes: 256 * MIB,
    maxImagePixels: 64_000_000,
    maxAudioSeconds: 600,
    maxVideoFrames: 1024,
    maxVideoSeconds: 3600,
    maxRedirects: 3,
    imageFetchTimeoutMs: 5_000,
    audioFetchTimeoutMs: 10_000,
    videoFetchTimeoutMs: 30_000,
    maxFetchAttempts: 3,
    maxInFlightBytes: Math.min(4 * GIB, Math.max(512 * MIB, Math.floor(totalmem() / 4))),
    ffmpegPath: 'ffmpeg',
    ffprobePath: 'ffprobe',
  };
}

type Environment = Record<string, string | undefined>;

interface Variable {
  name: string;
  value: string;
}

/** `SENSORIUM_<suffix>`, else `VLLM_<suffix>`; empty counts as absent. */
function readVariable(env: Environment, suffix: string): Variable | undefined {
  for (const prefix of ['SENSORIUM_', 'VLLM_']) {
    const value = env[prefix + suffix];
    if (value !== undefined && value.trim() !== '') return { name: prefix + suffix, value: value.trim() };
  }
  return undefined;
}

function readNumber(env: Environment, suffix: string, least: number): number | undefined {
  const variable = readVariable(env, suffix);
  if (variable === undefined) return undefined;
  const number = Number(variable.value);
  if (!Number.isFinite(number) || number < least) {
    throw new SensoriumError('invalid_option', `${variable.name} must be a number of at least ${least}.`);
  }
  return number;
}

function readFlag(env: Environment, suffix: string): boolean | undefined {
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

function withoutAbsent<T extends object>(values: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/**
 * What the environment says about media. Each variable may be spelled `SENSORIUM_...` or `VLLM_...`; times are in
 * seconds, sizes in MiB. Throws `invalid_option` naming the variable.
 */
export function mediaPolicyFromEnvironment(env: Environment): Partial<MediaPolicy> {
  const maxDownloadBytes = scaled(readNumber(env, 'MAX_MEDIA_DOWNLOAD_SIZE_MB', 0.001), MIB);
  const maxImagePixels = readNumber(env, 'MAX_IMAGE_PIXELS', 0);
  return withoutAbsent<MediaPolicy>({
    ...(readFlag(env, 'MEDIA_URL_ALLOW_REDIRECTS') === false ? { maxRedirects: 0 } : {}),
    allowPrivateMediaAddresses: readFlag(env, 'ALLOW_PRIVATE_MEDIA_ADDRESSES'),
    imageFetchTimeoutMs: scaled(readNumber(env, 'IMAGE_FETCH_TIMEOUT', 0.001), 1000),
    audioFetchTimeoutMs: scaled(readNumber(env, 'AUDIO_FETCH_TIMEOUT', 0.001), 1000),
    videoFetchTimeoutMs: scaled(readNumber(env, 'VIDEO_FETCH_TIMEOUT', 0.001), 1000),
    maxFetchAttempts: whole(readNumber(env, 'MEDIA_FETCH_MAX_RETRIES', 1)),
    maxImageBytes: maxDownloadBytes,
    maxVideoBytes: maxDownloadBytes,
    maxAudioBytes: scaled(readNumber(env, 'MAX_AUDIO_CLIP_FILESIZE_MB', 0.001), MIB) ?? maxDownloadBytes,
    maxImagePixels: maxImagePixels === 0 ? LARGEST_IMAGE_PIXELS : whole(maxImagePixels),
    maxEmbeddingBytes: whole(readNumber(env, 'MAX_EMBED_DECODE_BYTES', 1)),
    maxAudioSeconds: readNumber(env, 'MAX_AUDIO_DECODE_DURATION_S', 0.001),
    maxVideoFrames: whole(readNumber(env, 'MAX_VIDEO_FRAMES', 1)),
    maxVideoSeconds: readNumber(env, 'MAX_VIDEO_DURATION_S', 0.001),
    maxInFlightBytes: scaled(readNumber(env, 'MAX_MEDIA_IN_FLIGHT_MB', 0.001), MIB),
    videoLoader: readSampler(env),
    ffmpegPath: readVariable(env, 'FFMPEG_PATH')?.value,
    ffprobePath: readVariable(env, 'FFPROBE_PATH')?.value,
  } as { [K in keyof MediaPolicy]: MediaPolicy[K] | undefined });
}

const BOUNDED_FIELDS = [
  'maxImageBytes',
  'maxAudioBytes',
  'maxVideoBytes',
  'maxEmbeddingBytes',
  'maxImagePixels',
  'maxAudioSeconds',
  'maxVideoFrames',
  'maxVideoSeconds',
  'imageFetchTimeoutMs',
  'audioFetchTimeoutMs',
  'videoFetchTimeoutMs',
  'maxFetchAttempts',
  'maxInFlightBytes',
] as const satisfies readonly (keyof MediaPolicy)[];

/** Fields that a default policy leaves out. */
const OPTIONAL_FIELDS: readonly string[] = ['allowedLocalMediaPath', 'videoLoader'];

/** A misspelled or mistyped guard must not silently stay as it was, or fall. */
function checkOverrides(overrides: object): void {
  const defaults = defaultMediaPolicy() as unknown as Record<string, unknown>;
  for (const [field, value] of Object.entries(overrides) as [string, unknown][]) {
    const isOptional = OPTIONAL_FIELDS.includes(field);
    if (!isOptional && !Object.hasOwn(defaults, field)) {
      throw new SensoriumError('invalid_option', `There is no media option '${field}'.`, { param: field });
    }
    if (value === undefined) continue;
    const isRight = Array.isArray(defaults[field])
      ? Array.isArray(value) && value.every((entry) => typeof entry === 'string')
      : typeof value === (isOptional ? 'string' : typeof defaults[field]);
    if (isRight) continue;
    throw new SensoriumError('invalid_option', `The media option ${field} is of the wrong type.`, {
      param: field,
    });
  }
}

/** Defaults, then the environment, then `overrides`. Throws `invalid_option`. */
export function createMediaPolicy(
  overrides: Partial<MediaPolicy> = {},
  env: Environment = process.env,
): MediaPolicy {
  checkOverrides(overrides);
  const policy = {
    ...defaultMediaPolicy(),
    ...mediaPolicyFromEnvironment(env),
    ...withoutAbsent(overrides as MediaPolicy),
  };
  for (const field of BOUNDED_FIELDS) {
    if (!Number.isFinite(policy[field]) || policy[field] <= 0) {
      throw new SensoriumError('invalid_option', `The media option ${field} must be a positive number.`);
    }
  }
  if (policy.videoLoader !== undefined && !isSamplerName(policy.videoLoader)) {
    const reason = `must be one of ${SAMPLER_NAMES.join(', ')}`;
    throw new SensoriumError('invalid_option', `The media option videoLoader ${reason}.`, {
      param: 'videoLoader',
    });
  }
  if (!Number.isInteger(policy.maxRedirects) || policy.maxRedirects < 0) {
    throw new SensoriumError(
      'invalid_option',
      'The media option maxRedirects must be a whole number of at least 0.',
    );
  }
  return policy;
}

/** Largest accepted encoded size of one medium, in bytes. */
export function maxEncodedBytes(policy: MediaPolicy, modality: Modality): number {
  return { image: policy.maxImageBytes, audio: policy.maxAudioBytes, video: policy.maxVideoBytes }[modality];
}

/** Time in which one medium must have arrived, all redirects and attempts included. */
export function fetchTimeoutMs(policy: MediaPolicy, modality: Modality): number {
  return {
    image: policy.imageFetchTimeoutMs,
    audio: policy.audioFetchTimeoutMs,
    video: policy.videoFetchTimeoutMs,
  }[modality];
}
