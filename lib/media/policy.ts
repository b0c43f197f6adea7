import { totalmem } from 'node:os';
import { SensoriumError } from '../errors.js';
import {
  mediaPolicyFromEnvironment,
  UNLIMITED_BYTES,
  withoutAbsent,
  type Environment,
} from './environment.js';
import type { MediaPolicy, Modality } from './types.js';
import { isSamplerName, SAMPLER_NAMES } from './video-samplers.js';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

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
    maxAudioDecodedBytes: GIB,
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

const BOUNDED_FIELDS = [
  'maxImageBytes',
  'maxAudioBytes',
  'maxVideoBytes',
  'maxEmbeddingBytes',
  'maxImagePixels',
  'maxAudioSeconds',
  'maxAudioDecodedBytes',
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

/** Downloads without a limit of their own are held to what all of them may take together. */
function withinFlight(policy: MediaPolicy): MediaPolicy {
  const most = Math.floor(policy.maxInFlightBytes / 2);
  const held = (limit: number): number => (limit === UNLIMITED_BYTES ? most : limit);
  const { maxImageBytes, maxAudioBytes, maxVideoBytes } = policy;
  return {
    ...policy,
    maxImageBytes: held(maxImageBytes),
    maxAudioBytes: held(maxAudioBytes),
    maxVideoBytes: held(maxVideoBytes),
  };
}

/** Defaults, then the environment, then `overrides`. Throws `invalid_option`. */
export function createMediaPolicy(
  overrides: Partial<MediaPolicy> = {},
  env: Environment = process.env,
): MediaPolicy {
  checkOverrides(overrides);
  const policy = withinFlight({
    ...defaultMediaPolicy(),
    ...mediaPolicyFromEnvironment(env),
    ...withoutAbsent(overrides as MediaPolicy),
  });
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
