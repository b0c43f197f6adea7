import { Option, type Command } from 'commander';
import type { LLMOptions } from '../llm/types.js';
import type { Modality } from '../media/types.js';
import type { SamplingOptions } from '../request/types.js';
import * as values from './values.js';

export interface EngineFlags {
  revision?: string;
  downloadDir?: string;
  hfToken?: string;
  offline?: boolean;
  dtype: 'auto' | 'float32' | 'bfloat16';
  isa?: string;
  numThreads?: number;
  maxModelLen?: number;
  maxNumSeqs?: number;
  maxNumBatchedTokens?: number;
  kvCacheGb?: number;
  mmProcessorCacheGb?: number;
  enablePrefixCaching: boolean;
  runner?: 'auto' | 'generate' | 'pooling';
  trustRemoteCode?: boolean;
  chatTemplate?: string;
  chatTemplateContentFormat?: 'auto' | 'string' | 'openai';
}

export interface MediaFlags {
  limitMmPerPrompt?: NonNullable<LLMOptions['limitMmPerPrompt']>;
  mediaIoKwargs?: Partial<Record<Modality, Record<string, unknown>>>;
  mmProcessorKwargs?: Record<string, unknown>;
  enableMmEmbeds?: boolean;
  interleaveMmStrings?: boolean;
  numMediaWorkers?: number;
  allowedMediaDomains?: string[];
  allowedLocalMediaPath?: string;
  allowPrivateMediaAddresses?: boolean;
}

export interface SamplingFlags {
  maxTokens?: number;
  temperature?: number;
  topP?: number;
  topK?: number;
  seed?: number;
}

const option = (flags: string, help: string): Option => new Option(flags, help);

/** How the model is loaded and run. */
export function addEngineOptions(command: Command): Command {
  command.optionsGroup('Model and engine:');
  return command
    .option('--revision <name>', 'branch, tag or commit of a model on the Hub; default: main')
    .option(
      '--download-dir <folder>',
      "cache of models fetched from the Hub; default: the Hub's own (HF_HOME)",
    )
    .option('--hf-token <token>', 'for private and gated models; HF_TOKEN does not show in process lists')
    .option('--offline', 'uses only what the cache holds (HF_HUB_OFFLINE)')
    .addOption(
      option('--dtype <type>', 'arithmetic of weights and KV cache; auto is bfloat16, float32 is exact')
        .choices(['auto', 'float32', 'bfloat16'])
        .default('auto'),
    )
    .addOption(
      option(
        '--isa <name>',
        'kernel table to force; default: the best this CPU has (SENSORIUM_CPU_ISA)',
      ).choices(['generic', 'avx2', 'avx512', 'amx']),
    )
    .option(
      '--num-threads <n>',
      'threads that compute; default: the physical cores',
      values.wholeNumber(1, 1024),
    )
    .option(
      '--max-model-len <tokens>',
      'prompt and answer together; default: what the model can',
      values.wholeNumber(1),
    )
    .option('--max-num-seqs <n>', 'answers computed at the same time', values.wholeNumber(1, 4096))
    .option('--max-num-batched-tokens <n>', 'tokens of one engine step', values.wholeNumber(1))
    .option(
      '--kv-cache-gb <GiB>',
      'size of the KV cache, e.g. 0.5; default: max-num-seqs full contexts, at most a quarter of the memory',
      values.numberFrom(0.000001),
    )
    .option(
      '--mm-processor-cache-gb <GiB>',
      'processed media and encoder rows kept for reuse, e.g. 0.25; 0 keeps none',
      values.numberFrom(0),
    )
    .option('--enable-prefix-caching', 'reuse what prompts have in common', true)
    .option('--no-enable-prefix-caching', 'compute every prompt from its start')
    .addOption(
      option('--runner <name>', 'what the model is run for; auto and generate answer prompts').choices([
        'auto',
        'generate',
        'pooling',
      ]),
    )
    .option('--trust-remote-code', 'accepted; code of a checkpoint never runs')
    .option('--chat-template <file>', "Jinja template used instead of the checkpoint's")
    .addOption(
      option(
        '--chat-template-content-format <format>',
        'what the template expects of contents; auto reads it from the template',
      ).choices(['auto', 'string', 'openai']),
    );
}

/** What media may be, and where they may come from. */
export function addMediaOptions(command: Command): Command {
  command.optionsGroup('Media (closed by default: public http(s) addresses and data: URLs only):');
  return command
    .option(
      '--limit-mm-per-prompt <json>',
      'parts of each kind, e.g. {"image":4,"video":1}, or --limit-mm-per-prompt.image 4',
      values.modalityLimits,
    )
    .option(
      '--media-io-kwargs <json>',
      'decoder defaults, e.g. {"video":{"num_frames":16}}',
      values.modalityOptions,
    )
    .option(
      '--mm-processor-kwargs <json>',
      'preprocessing defaults, e.g. {"max_pixels":602112}',
      values.mergedJsonObject,
    )
    .option('--enable-mm-embeds', 'takes ready-made embeddings, e.g. image_embeds parts')
    .option('--interleave-mm-strings', 'text templates: media stay where they are among the texts (default)')
    .option('--no-interleave-mm-strings', 'text templates: all media come before the text')
    .option(
      '--num-media-workers <n>',
      'media decoded and preprocessed at the same time; default: the cores, at least 2',
      values.wholeNumber(1, 1024),
    )
    .option(
      '--allowed-media-domains <host...>',
      'only these hosts are fetched from: names, or *.name for subdomains; private addresses stay closed',
      values.appendList,
    )
    .option(
      '--allowed-local-media-path <folder>',
      'opens file: URLs inside this folder: every client can then read what lies there',
      values.folder,
    )
    .option(
      '--allow-private-media-addresses',
      'lets URLs point to loopback and private networks: every client can then reach what this machine can',
    );
}

export function addSamplingOptions(command: Command): Command {
  command.optionsGroup('Answer:');
  return command
    .option('--max-tokens <n>', 'longest answer', values.wholeNumber(1))
    .option('--temperature <t>', '0 is greedy; default: what the checkpoint says', values.numberFrom(0, 2))
    .option('--top-p <p>', 'nucleus sampling', values.numberFrom(0.000001, 1))
    .option('--top-k <k>', 'sample from the best k; 0 is all', values.wholeNumber(0))
    .option('--seed <n>', 'makes sampling repeatable', values.wholeNumber(0));
}

/** The absent ones are left out, so that defaults stay where they are defined. */
function withoutAbsent<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

export function toLLMOptions(
  model: string | undefined,
  flags: EngineFlags & Partial<MediaFlags>,
): LLMOptions {
  return withoutAbsent({
    model,
    revision: flags.revision,
    downloadDir: flags.downloadDir,
    hfToken: flags.hfToken,
    isOffline: flags.offline,
    dtype: flags.dtype,
    isa: flags.isa,
    numThreads: flags.numThreads,
    maxModelLen: flags.maxModelLen,
    maxNumSeqs: flags.maxNumSeqs,
    maxNumBatchedTokens: flags.maxNumBatchedTokens,
    kvCacheGb: flags.kvCacheGb,
    mmProcessorCacheGb: flags.mmProcessorCacheGb,
    enablePrefixCaching: flags.enablePrefixCaching,
    runner: flags.runner,
    trustRemoteCode: flags.trustRemoteCode,
    chatTemplate: flags.chatTemplate,
    chatTemplateContentFormat: flags.chatTemplateContentFormat,
    limitMmPerPrompt: flags.limitMmPerPrompt,
    mediaIoKwargs: flags.mediaIoKwargs,
    mmProcessorKwargs: flags.mmProcessorKwargs,
    enableMmEmbeds: flags.enableMmEmbeds,
    interleaveMmStrings: flags.interleaveMmStrings,
    numMediaWorkers: flags.numMediaWorkers,
    allowedMediaDomains: flags.allowedMediaDomains,
    allowedLocalMediaPath: flags.allowedLocalMediaPath,
    allowPrivateMediaAddresses: flags.allowPrivateMediaAddresses,
  });
}

export function toSampling(flags: SamplingFlags): SamplingOptions {
  const { maxTokens, temperature, topP, topK, seed } = flags;
  return withoutAbsent({ maxTokens, temperature, topP, topK, seed });
}
