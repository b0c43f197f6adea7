import { SensoriumError } from '../errors.js';
import type { MediaPolicy, Modality } from '../media/types.js';
import type { NativeEngineOptions } from '../native/addon.js';
import { checkMediaLimits, countOf, toItemLimits } from './media-limits.js';
import { usableMemoryBytes } from './process-wide.js';
import { checkOptionTypes } from './option-names.js';
import type { LLMOptions, MediaRules } from './types.js';

const GIB = 1024 ** 3;
const DEFAULT_MAX_NUM_SEQS = 16;
const DEFAULT_MAX_NUM_BATCHED_TOKENS = 2048;
const DEFAULT_MM_CACHE_GB = 1;
const DEFAULT_MAX_QUEUED = 1024;
const DEFAULT_MEDIA_LIMIT = 999;
const BLOCK_SIZE = 16;

const OPTION_TYPES = {
  model: 'string',
  revision: 'string',
  downloadDir: 'string',
  hfToken: 'string',
  isOffline: 'boolean',
  onDownload: 'function',
  dtype: 'string',
  isa: 'string',
  numThreads: 'number',
  maxModelLen: 'number',
  maxNumSeqs: 'number',
  maxNumBatchedTokens: 'number',
  kvCacheGb: 'number',
  mmProcessorCacheGb: 'number',
  enablePrefixCaching: 'boolean',
  limitMmPerPrompt: 'object',
  servedModelName: 'texts',
  enableMmEmbeds: 'boolean',
  interleaveMmStrings: 'boolean',
  chatTemplateContentFormat: 'string',
  trustRequestChatTemplate: 'boolean',
  allowedMediaDomains: 'texts',
  allowedLocalMediaPath: 'string',
  allowPrivateMediaAddresses: 'boolean',
  rgbaBackgroundColor: 'list',
  numMediaWorkers: 'number',
  runner: 'string',
  trustRemoteCode: 'boolean',
  chatTemplate: 'string',
  mediaPolicy: 'object',
  mediaIoKwargs: 'object',
  mmProcessorKwargs: 'object',
  maxQueued: 'number',
  onProgress: 'function',
} as const satisfies Record<keyof LLMOptions, string>;

const invalidOption = (name: string, message: string): SensoriumError =>
  new SensoriumError('invalid_option', `The option ${name} ${message}`, { param: name });

function checkInteger(name: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined) return;
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw invalidOption(name, `must be an integer from ${min} to ${max}, not ${String(value)}.`);
}

function checkGb(name: string, value: number | undefined, isZeroAllowed: boolean): void {
  if (value === undefined) return;
  const isAboveMin = isZeroAllowed ? value >= 0 : value > 0;
  if (typeof value === 'number' && isAboveMin && value <= 1_000_000) return;
  throw invalidOption(
    name,
    `must be a ${isZeroAllowed ? 'non-negative' : 'positive'} number of GiB, not ${String(value)}.`,
  );
}

/** A cache beyond the memory there is would be refused only while it is filled, or end the process. */
function checkKvCacheFits(kvCacheGb: number | undefined): void {
  const usable = usableMemoryBytes();
  if (kvCacheGb === undefined || kvCacheGb * GIB <= usable) return;
  throw invalidOption(
    'kvCacheGb',
    `is ${kvCacheGb} GiB, but this machine has ${(usable / GIB).toFixed(1)} GiB of memory.`,
  );
}

function checkRunner(runner: LLMOptions['runner']): void {
  if (runner === undefined || ['auto', 'generate', 'pooling'].includes(runner)) return;
  throw invalidOption('runner', `must be auto, generate or pooling, not '${String(runner)}'.`);
}

/** Checks what does not need the model. Throws `invalid_option` naming the option. */
export function checkOptions(options: LLMOptions): void {
  checkOptionTypes(options, OPTION_TYPES);
  checkInteger('numThreads', options.numThreads, 1, 1024);
  checkInteger('maxModelLen', options.maxModelLen, 2, 2 ** 24);
  checkInteger('maxNumSeqs', options.maxNumSeqs, 1, 4096);
  checkInteger('maxNumBatchedTokens', options.maxNumBatchedTokens, 1, 2 ** 20);
  checkInteger('numMediaWorkers', options.numMediaWorkers, 1, 1024);
  checkInteger('maxQueued', options.maxQueued, 1, 2 ** 20);
  checkGb('kvCacheGb', options.kvCacheGb, false);
  checkKvCacheFits(options.kvCacheGb);
  checkGb('mmProcessorCacheGb', options.mmProcessorCacheGb, true);
  checkRunner(options.runner);
  if (options.dtype !== undefined && !['auto', 'float32', 'bfloat16'].includes(options.dtype)) {
    throw invalidOption('dtype', `must be auto, float32 or bfloat16, not '${String(options.dtype)}'.`);
  }
  const formats = ['auto', 'string', 'openai'];
  if (!formats.includes(options.chatTemplateContentFormat ?? 'auto')) {
    const message = `must be one of ${formats.join(', ')}, not '${String(options.chatTemplateContentFormat)}'.`;
    throw invalidOption('chatTemplateContentFormat', message);
  }
  checkMediaLimits(options.limitMmPerPrompt);
}

/** The media policy of the options: the named ones are laid over `mediaPolicy`. */
export function toPolicyOverrides(options: LLMOptions): Partial<MediaPolicy> {
  const { allowedMediaDomains, allowedLocalMediaPath, allowPrivateMediaAddresses } = options;
  return {
    ...options.mediaPolicy,
    ...(allowedMediaDomains !== undefined && { allowedMediaDomains: [allowedMediaDomains].flat() }),
    ...(allowedLocalMediaPath !== undefined && { allowedLocalMediaPath }),
    ...(allowPrivateMediaAddresses !== undefined && { allowPrivateMediaAddresses }),
  };
}

/** How the budget for media is shared: half for processed items, half for encoder rows. */
export function mediaCacheBytes(options: LLMOptions): { processorBytes: number; encoderBytes: number } {
  const half = Math.floor(((options.mmProcessorCacheGb ?? DEFAULT_MM_CACHE_GB) * GIB) / 2);
  return { processorBytes: half, encoderBytes: half };
}

export function toNativeOptions(
  options: LLMOptions,
  model: string,
  eosTokenIds: number[],
): NativeEngineOptions {
  const dtype = options.dtype ?? 'auto';
  return {
    model,
    dtype: dtype === 'auto' ? 'bfloat16' : dtype,
    isa: options.isa,
    numThreads: options.numThreads,
    maxNumSeqs: options.maxNumSeqs ?? DEFAULT_MAX_NUM_SEQS,
    maxNumBatchedTokens: options.maxNumBatchedTokens ?? DEFAULT_MAX_NUM_BATCHED_TOKENS,
    maxModelLen: options.maxModelLen ?? 0,
    blockSize: BLOCK_SIZE,
    kvCacheBytes: options.kvCacheGb === undefined ? undefined : Math.floor(options.kvCacheGb * GIB),
    encoderCacheBytes: mediaCacheBytes(options).encoderBytes,
    enablePrefixCaching: options.enablePrefixCaching ?? true,
    eosTokenIds,
    maxQueued: options.maxQueued ?? DEFAULT_MAX_QUEUED,
  };
}

export function toMediaRules(options: LLMOptions, modalities: readonly Modality[]): MediaRules {
  const limits = options.limitMmPerPrompt;
  const limitOf = (modality: Modality): number =>
    modalities.includes(modality) ? (countOf(limits?.[modality]) ?? DEFAULT_MEDIA_LIMIT) : 0;
  return {
    modalities,
    hasEmbeddings: options.enableMmEmbeds ?? false,
    limits: { image: limitOf('image'), video: limitOf('video'), audio: limitOf('audio') },
    itemLimits: toItemLimits(limits),
  };
}
