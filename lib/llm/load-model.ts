import { resolve } from 'node:path';
import { ChatRenderer } from '../chat/chat-renderer.js';
import type { ContentFormat } from '../chat/content-format.js';
import { Engine } from '../engine/engine.js';
import { readEosTokenIds, readSamplingDefaults } from '../engine/sampling-defaults.js';
import { resolveModel } from '../hub/resolve-model.js';
import { ProcessedItemCache } from '../media/cache.js';
import { checkLocalFolder } from '../media/local-file.js';
import { checkServerMediaOptions } from '../media/media-settings.js';
import { numWorkersFromEnvironment } from '../media/environment.js';
import { createMediaPolicy } from '../media/policy.js';
import { MediaResolver } from '../media/resolver.js';
import type { MediaPolicy } from '../media/types.js';
import { openModelFolder, type ModelFolder } from '../model-folder/model-folder.js';
import type { NativeAddon } from '../native/addon.js';
import { createProcessor } from '../processors/index.js';
import { Tokenizer } from '../tokenizer/tokenizer.js';
import { readAlignmentHeads } from '../transcription/alignment-heads.js';
import { readSpeechTokens } from '../transcription/speech-tokens.js';
import { Transcriber } from '../transcription/transcriber.js';
import { chooseTemplates } from './choose-templates.js';
import { Embedder } from './embedder.js';
import { readEmbeddingSizes } from './embedding-size.js';
import {
  checkOptions,
  mediaCacheBytes,
  toMediaRules,
  toNativeOptions,
  toPolicyOverrides,
} from './native-options.js';
import { engineMediaOptions } from './kwargs-names.js';
import { toItemLimits } from './media-limits.js';
import { embeddedModelPath } from './package-root.js';
import { RequestPipeline, type PipelineParts } from './pipeline.js';
import { chooseTask, type Task } from './runner.js';
import type { LLMOptions, MediaRules } from './types.js';

/** Everything a loaded model consists of. */
export interface LoadedModel extends PipelineParts {
  modelId: string;
  /** Every name that clients may send; the first is `modelId`. */
  modelIds: string[];
  dtype: 'float32' | 'bfloat16';
  mediaRules: MediaRules;
  policy: MediaPolicy;
  mediaCache: ProcessedItemCache;
  pipeline: RequestPipeline;
  /** Set where the model only writes down speech. */
  transcriber?: Transcriber | undefined;
  embedder: Embedder;
  task: Task;
}

function tokenizerEosId(folder: ModelFolder, tokenizer: Tokenizer): number | undefined {
  const eos = folder.tokenizerConfig.eos_token;
  const content: unknown = typeof eos === 'object' && eos !== null && 'content' in eos ? eos.content : eos;
  return typeof content === 'string' ? tokenizer.tokenToId(content) : undefined;
}

const MAX_NAMED_TENSORS = 8;

/** One warning for a checkpoint whose config leaves some of its tensors unused. */
function warnOfUnreadTensors(model: string, names: readonly string[]): void {
  if (names.length === 0) return;
  const named = names.slice(0, MAX_NAMED_TENSORS).join(', ');
  const more = names.length > MAX_NAMED_TENSORS ? ` and ${names.length - MAX_NAMED_TENSORS} more` : '';
  process.emitWarning(
    `The config of '${model}' does not use these tensors of its checkpoint: ${named}${more}.`,
    {
      type: 'SensoriumWarning',
    },
  );
}

function createTranscriber(
  { generationConfig, config }: ModelFolder,
  { processor, tokenizer, engine }: PipelineParts,
): Transcriber | undefined {
  const { speech } = processor;
  if (speech === undefined) return undefined;
  const tokens = readSpeechTokens(generationConfig, config, tokenizer);
  const alignment = readAlignmentHeads(generationConfig, config);
  return new Transcriber({ tokenizer, tokens, speech, maxModelLen: engine.info.maxModelLen, alignment });
}

/** Programs written for vLLM ask for it; the answer is always no. */
function warnOfRemoteCode({ trustRemoteCode }: LLMOptions): void {
  if (trustRemoteCode !== true) return;
  const message = 'trustRemoteCode (--trust-remote-code) has no effect: code of a checkpoint never runs.';
  process.emitWarning(message, { type: 'SensoriumWarning' });
}

/** The format that the options demand of every template; undefined: each template's own. */
function toContentFormat({ chatTemplateContentFormat: format }: LLMOptions): ContentFormat | undefined {
  return format === 'auto' ? undefined : format;
}

async function findModel(options: LLMOptions): Promise<string> {
  if (options.model === undefined) return embeddedModelPath();
  return await resolveModel(options.model, {
    revision: options.revision,
    cacheFolder: options.downloadDir,
    token: options.hfToken,
    isOffline: options.isOffline,
    onProgress: options.onDownload,
  });
}

/** Names that clients may send: those of the options, else the model's on the Hub, else its folder's. */
function chooseNames({ servedModelName, model }: LLMOptions, folder: ModelFolder): string[] {
  const served = [servedModelName ?? []].flat();
  if (served.length > 0) return served;
  if (model === undefined) return ['sensorium-demo'];
  const isFolder = resolve(model) === folder.path;
  return [isFolder ? folder.name : model];
}

/** Composes a model from its folder, or from the Hub. Rejects with a SensoriumError; nothing stays open then. */
export async function loadModel(options: LLMOptions, addon: NativeAddon): Promise<LoadedModel> {
  checkOptions(options);
  warnOfRemoteCode(options);
  const folder = await openModelFolder(await findModel(options));
  const modelIds = chooseNames(options, folder);
  const modelId = modelIds[0] as string;
  const processor = await createProcessor(folder.path, addon);
  const task = await chooseTask(options.runner, folder.path, processor);
  const policy = createMediaPolicy(toPolicyOverrides(options));
  await checkLocalFolder(policy);
  const defaults = engineMediaOptions(options);
  checkServerMediaOptions(defaults, policy);
  const placeholders = [...Object.values(processor.placeholders), ...(processor.addedTokens ?? [])];
  const tokenizer = new Tokenizer(folder.tokenizerJson, folder.tokenizerConfig, placeholders);
  const renderer = await ChatRenderer.create({
    tokenizer,
    placeholders: processor.placeholders,
    templates: await chooseTemplates(options.chatTemplate, folder, task),
    tokenizerConfig: folder.tokenizerConfig,
    contentFormat: toContentFormat(options),
    mediaOrder: options.interleaveMmStrings === false ? 'first' : 'interleaved',
    trustRequestTemplates: options.trustRequestChatTemplate,
  });
  const mediaCache = new ProcessedItemCache(mediaCacheBytes(options).processorBytes);
  const resolver = new MediaResolver({
    policy,
    processor,
    cache: mediaCache,
    modelId: folder.path,
    defaults,
    itemLimits: toItemLimits(options.limitMmPerPrompt),
    numWorkers: options.numMediaWorkers ?? numWorkersFromEnvironment(process.env),
    release: (bytes) => addon.release(bytes),
    // Without any cache a name of a client's names nothing.
    areUuidsIgnored: mediaCache.maxBytes === 0 && options.enablePrefixCaching === false,
  });
  const eosTokenIds = readEosTokenIds(
    folder.generationConfig,
    folder.config,
    tokenizerEosId(folder, tokenizer),
  );
  const nativeOptions = toNativeOptions(options, folder.path, eosTokenIds);
  try {
    const samplingDefaults = readSamplingDefaults(folder.generationConfig);
    const engineParts = { tokenizer, samplingDefaults, onProgress: options.onProgress };
    const engine = await Engine.create(addon, nativeOptions, engineParts);
    warnOfUnreadTensors(folder.name, engine.info.unreadTensors);
    const parts: PipelineParts = { tokenizer, renderer, processor, resolver, engine };
    const mediaRules = toMediaRules(options, processor.modalities);
    const pipeline = new RequestPipeline(parts, task);
    const transcriber = createTranscriber(folder, parts);
    const embedder = new Embedder(
      pipeline,
      mediaRules,
      readEmbeddingSizes(folder.config, engine.info.info.hiddenSize),
    );
    return {
      ...parts,
      transcriber,
      embedder,
      task,
      modelId,
      modelIds,
      dtype: nativeOptions.dtype,
      mediaRules,
      policy,
      mediaCache,
      pipeline,
    };
  } catch (error) {
    renderer.close();
    await resolver.close();
    throw error;
  }
}
