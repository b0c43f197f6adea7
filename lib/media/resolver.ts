import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { SensoriumError, toSensoriumError } from '../errors.js';
import type { KeyedItem, ProcessedItem, Processor } from '../processors/types.js';
import { decodeAudio } from './audio.js';
import { ByteBudget, type ByteLease } from './budget.js';
import type { ProcessedItemCache } from './cache.js';
import { mediaKey, type MediaKeyParts } from './content-hash.js';
import type { DecodeContext } from './decode-context.js';
import { decodeTensors } from './embeddings.js';
import { throwIfAborted } from './failure.js';
import { decodeFrameList } from './frame-list.js';
import { HttpFetcher } from './http-fetcher.js';
import { decodeImage } from './image.js';
import { optionsConcerning } from './key-options.js';
import { checkItemLimit } from './item-limits.js';
import { Limiter } from './limiter.js';
import { readMediaSettings, type MediaSettings } from './media-settings.js';
import { toRgbImage } from './raw-pixels.js';
import { fetchTimeoutMs } from './policy.js';
import { hashSource, SourceLoader, type LoadedSource } from './source-loader.js';
import type {
  DecodedAudio,
  DecodedMedia,
  ItemLimit,
  MediaOptions,
  MediaPart,
  MediaPolicy,
  MediaSource,
  Modality,
} from './types.js';
import type { ResolveHost } from './url-guard.js';
import { decodeVideo } from './video.js';

/** Media of one request that are fetched at the same time. */
const MAX_CONCURRENT_FETCHES = 8;
const MIN_WORKERS = 2;
const MODALITIES: readonly Modality[] = ['image', 'video', 'audio'];

export interface MediaResolverOptions {
  policy: MediaPolicy;
  processor: Processor;
  cache: ProcessedItemCache;
  /** Part of every cache key. */
  modelId: string;
  /** The server's own options, laid under each request's. */
  defaults?: MediaOptions | undefined;
  /** The most that one item of a modality may be. */
  itemLimits?: Readonly<Partial<Record<Modality, ItemLimit>>> | undefined;
  /** Media of all requests that are decoded and preprocessed at the same time. Default: the cores, at least 2. */
  numWorkers?: number | undefined;
  /** Nothing is kept by uuid, so content alone names media. Default false. */
  areUuidsIgnored?: boolean | undefined;
  /** Frees pixels that were decoded here, at once; without it the garbage collector does, later. */
  release?: ((bytes: Uint8Array) => void) | undefined;
  /** Replaces the system's name lookup. */
  resolveHost?: ResolveHost | undefined;
}

/** Longest time that one part of the request spent in each stage, in ms. */
export interface MediaTimings {
  fetchMs: number;
  preprocessMs: number;
}

export interface ResolveContext {
  /** Caches are shared only within one tenant. */
  tenant: string;
  signal?: AbortSignal | undefined;
  /** Filled in as the request goes on. */
  timings?: MediaTimings | undefined;
}

interface Work {
  part: MediaPart;
  settings: MediaSettings;
  tenant: string;
  timings: MediaTimings;
  /** Of the request. */
  fetches: Limiter;
  /** By when all that the request fetches must be here, on the clock of `performance.now()`. */
  fetchDeadlineMs: number;
}

/** Turns the media parts of requests into processed items, through the cache. One a model; safe for many requests. */
export class MediaResolver {
  private readonly fetcher: HttpFetcher;
  private readonly loader: SourceLoader;
  /** Decoded media wait on a budget of their own: they are finished without waiting for more, so both always drain. */
  private readonly decodeBudget: ByteBudget;
  private readonly workers: Limiter;

  constructor(private readonly options: MediaResolverOptions) {
    const { policy, resolveHost } = options;
    const half = Math.ceil(policy.maxInFlightBytes / 2);
    this.fetcher = new HttpFetcher(policy, resolveHost);
    this.loader = new SourceLoader(
      policy,
      this.fetcher,
      new ByteBudget(half),
      options.processor.samplingRate,
    );
    this.decodeBudget = new ByteBudget(half);
    this.workers = new Limiter(options.numWorkers ?? Math.max(MIN_WORKERS, availableParallelism()));
  }

  /**
   * What `use` makes of the items of `parts`, in their order, all modalities at once. A known uuid or content is neither fetched,
   * decoded nor processed again. Items may lose their memory once `use` has ended. The first failure ends the others and is
   * thrown with the part's `param`.
   */
  async withItems<T>(
    parts: MediaPart[],
    options: MediaOptions,
    context: ResolveContext,
    use: (items: KeyedItem[]) => T | Promise<T>,
  ): Promise<T> {
    throwIfAborted(context.signal);
    const works = this.plan(parts, options, context);
    const items: (KeyedItem | undefined)[] = [];
    try {
      await this.resolve(works, parts, items, context.signal);
      return await use(items as KeyedItem[]);
    } finally {
      for (const item of items) if (item !== undefined) this.options.cache.release(item);
    }
  }

  /** Fills `items`, whose holder releases them, whether it fails or not. */
  private async resolve(
    works: Work[],
    parts: MediaPart[],
    items: (KeyedItem | undefined)[],
    outer: AbortSignal | undefined,
  ): Promise<void> {
    const failure = new AbortController();
    const signal = outer ? AbortSignal.any([outer, failure.signal]) : failure.signal;
    let firstError: SensoriumError | undefined;
    await Promise.all(
      works.map(async (work, index) => {
        try {
          items[index] = await this.resolvePart(work, parts, signal);
        } catch (error) {
          firstError ??= toSensoriumError(error).withParam(work.part.param);
          failure.abort();
        }
      }),
    );
    if (firstError) throw firstError;
  }

  /** All parts checked; what they share is the request's. */
  private plan(parts: MediaPart[], options: MediaOptions, context: ResolveContext): Work[] {
    const { tenant, timings = { fetchMs: 0, preprocessMs: 0 } } = context;
    const { policy } = this.options;
    const timeouts = parts.map(({ modality }) => fetchTimeoutMs(policy, modality));
    const fetchDeadlineMs = performance.now() + Math.max(0, ...timeouts);
    const fetches = new Limiter(MAX_CONCURRENT_FETCHES);
    const common = this.options.processor.optionsOfRequest?.(parts);
    return parts.map((part) => {
      const settings = withProcessorKwargs(this.check(part, options), common);
      return { part, settings, tenant, timings, fetches, fetchDeadlineMs };
    });
  }

  /** Refuses a request's options by themselves, whatever media it has. Throws `invalid_value`, naming the field. */
  checkOptions(options: MediaOptions): void {
    if (options.mediaIoKwargs === undefined && options.mmProcessorKwargs === undefined) return;
    for (const modality of MODALITIES) {
      const part: MediaPart = { modality, param: 'mm_processor_kwargs' };
      readMediaSettings(part, {}, options, this.options.policy);
    }
  }

  /** A decoded sound, held against the budgets until `use` is done with it. Throws as `resolve`. */
  async withSound<T>(
    part: MediaPart,
    context: ResolveContext,
    use: (sound: DecodedAudio) => Promise<T>,
  ): Promise<T> {
    const { signal = new AbortController().signal } = context;
    const leases: ByteLease[] = [];
    const reserve = async (numBytes: number): Promise<void> => {
      leases.push(await this.decodeBudget.acquire(numBytes, signal));
    };
    try {
      const settings = this.check(part, {});
      const deadlineMs = performance.now() + fetchTimeoutMs(this.options.policy, part.modality);
      const scope = { leases, signal, deadlineMs };
      const loaded = await this.loader.load(part.source as MediaSource, part.modality, scope);
      throwIfAborted(signal);
      if (loaded.kind === 'embeddings')
        throw new SensoriumError('invalid_type', 'Speech is written down from sound, not from embeddings.');
      const decodeContext = { policy: this.options.policy, signal, reserve };
      const decoded = await this.decode(loaded, 'audio', settings, decodeContext);
      throwIfAborted(signal);
      return await use(decoded as DecodedAudio);
    } catch (error) {
      throw toSensoriumError(error).withParam(part.param);
    } finally {
      for (const lease of leases) lease.release();
    }
  }

  /** Ends open connections. */
  close(): Promise<void> {
    return this.fetcher.close();
  }

  /** What can be refused before any work: the modality and the options. */
  private check(part: MediaPart, options: MediaOptions): MediaSettings {
    const { processor, policy, defaults = {} } = this.options;
    try {
      if (!processor.modalities.includes(part.modality)) {
        throw new SensoriumError('unsupported_modality', `This model does not take ${part.modality} input.`);
      }
      if (part.source === undefined && part.uuid === undefined) {
        throw new SensoriumError('missing_field', `The ${part.modality} has neither data nor a uuid.`);
      }
      const settings = readMediaSettings(part, defaults, options, policy);
      if (settings.decode.useAudioInVideo) this.checkSoundOfVideo(part);
      return settings;
    } catch (error) {
      throw toSensoriumError(error).withParam(part.param);
    }
  }

  private checkSoundOfVideo({ modality }: MediaPart): void {
    if (modality !== 'video' || this.options.processor.modalities.includes('audio')) return;
    throw new SensoriumError(
      'unsupported_modality',
      'use_audio_in_video needs a model that takes audio; this one takes none.',
    );
  }

  /** The caller releases it. */
  private async resolvePart(work: Work, parts: MediaPart[], signal: AbortSignal): Promise<KeyedItem> {
    const { cache } = this.options;
    const { source } = work.part;
    const uuid = this.options.areUuidsIgnored === true ? undefined : work.part.uuid;
    if (uuid !== undefined) {
      const key = this.keyOf(work, { uuid });
      if (source === undefined) return (await cache.find(key, signal)) ?? raiseCacheMiss(work.part, parts);
      return await cache.getOrCompute(key, signal, (inner) => this.loadAndProcess(work, source, inner));
    }
    if (source === undefined) raiseCacheMiss(work.part, parts);
    const leases: ByteLease[] = [];
    try {
      const loaded = await this.load(work, source, leases, signal);
      const key = this.keyOf(work, { contentHash: await hashSource(loaded, signal) });
      return await cache.getOrCompute(key, signal, (inner) => this.decodeAndProcess(work, loaded, inner));
    } finally {
      for (const lease of leases) lease.release();
    }
  }

  private async loadAndProcess(work: Work, source: MediaSource, signal: AbortSignal): Promise<ProcessedItem> {
    const leases: ByteLease[] = [];
    try {
      const loaded = await this.load(work, source, leases, signal);
      return await this.decodeAndProcess(work, loaded, signal);
    } finally {
      for (const lease of leases) lease.release();
    }
  }

  private load(
    { part, timings, fetches, fetchDeadlineMs }: Work,
    source: MediaSource,
    leases: ByteLease[],
    signal: AbortSignal,
  ): Promise<LoadedSource> {
    return fetches.run(async () => {
      throwIfAborted(signal);
      const start = performance.now();
      try {
        return await this.loader.load(source, part.modality, { leases, signal, deadlineMs: fetchDeadlineMs });
      } finally {
        timings.fetchMs = Math.max(timings.fetchMs, performance.now() - start);
      }
    });
  }

  private decodeAndProcess(work: Work, loaded: LoadedSource, signal: AbortSignal): Promise<ProcessedItem> {
    return this.workers.run(() => {
      throwIfAborted(signal);
      return this.decodeNow(work, loaded, signal);
    });
  }

  private async decodeNow(
    { part, settings, timings }: Work,
    loaded: LoadedSource,
    signal: AbortSignal,
  ): Promise<ProcessedItem> {
    const start = performance.now();
    const leases: ByteLease[] = [];
    const reserve = async (numBytes: number): Promise<void> => {
      leases.push(await this.decodeBudget.acquire(numBytes, signal));
    };
    try {
      const itemLimit = this.options.itemLimits?.[part.modality];
      const { processor } = this.options;
      const frameResizer: DecodeContext['frameResizer'] = (size, numFrames) =>
        processor.frameResizer?.(size, numFrames, settings.processorKwargs);
      const context = { policy: this.options.policy, itemLimit, frameResizer, signal, reserve };
      if (loaded.kind === 'embeddings') {
        const tensors = await decodeTensors(loaded.tensors, part.modality, context);
        throwIfAborted(signal);
        return await this.options.processor.processEmbeddings(part.modality, tensors);
      }
      const decoded = await this.decode(loaded, part.modality, settings, context);
      checkItemLimit(decoded, itemLimit, this.options.processor.samplingRate);
      throwIfAborted(signal);
      const item = await this.options.processor.process(decoded, settings.processorKwargs);
      // Pixels that were decoded here are nobody else's.
      if (loaded.kind === 'bytes') this.releasePixels(decoded);
      return item;
    } finally {
      for (const lease of leases) lease.release();
      timings.preprocessMs = Math.max(timings.preprocessMs, performance.now() - start);
    }
  }

  private releasePixels(media: DecodedMedia): void {
    if (media.kind === 'audio') return;
    for (const pixels of media.kind === 'image' ? [media.data] : media.frames) this.options.release?.(pixels);
  }

  private async decode(
    loaded: Exclude<LoadedSource, { kind: 'embeddings' }>,
    modality: Modality,
    { decode }: MediaSettings,
    context: DecodeContext,
  ): Promise<DecodedMedia> {
    if (loaded.kind === 'decoded') return loaded.media;
    if (loaded.kind === 'pixels') return await toRgbImage(loaded.pixels, decode, context.signal);
    const sampling = this.options.processor.videoSampling;
    if (loaded.kind === 'frames') {
      return await decodeFrameList(loaded, decode, sampling, context);
    }
    if (modality === 'image') return await decodeImage(loaded.bytes, decode, context);
    if (modality === 'audio') return await decodeAudio(loaded.bytes, context);
    return await decodeVideo(loaded.bytes, decode, sampling, context);
  }

  private keyOf({ part, settings, tenant }: Work, identity: MediaKeyParts['identity']): string {
    const { modality } = part;
    const { ioKwargs } = settings;
    const processorKwargs = optionsConcerning(modality, settings.processorKwargs);
    const { modelId } = this.options;
    return mediaKey({ tenant, modelId, modality, identity, ioKwargs, processorKwargs });
  }
}

/** The settings with further options for the processor. */
function withProcessorKwargs(
  settings: MediaSettings,
  kwargs: Record<string, unknown> | undefined,
): MediaSettings {
  return kwargs === undefined
    ? settings
    : { ...settings, processorKwargs: { ...settings.processorKwargs, ...kwargs } };
}

/** `index` counts within the modality, as clients that send `multi_modal_uuids` count. */
function raiseCacheMiss(part: MediaPart, parts: MediaPart[]): never {
  const index = parts.filter(({ modality }) => modality === part.modality).indexOf(part);
  throw new SensoriumError(
    'media_cache_miss',
    `The ${part.modality} at index ${index} is not in the cache: send it with its data.`,
    { param: part.param, details: { index, uuid: part.uuid } },
  );
}
