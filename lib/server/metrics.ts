import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Timings, Usage } from '../engine/types.js';
import type { LLMStats, RequestObservation } from '../llm/types.js';
import type { ServerLLM } from './types.js';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

const STAGES: [stage: string, field: keyof Timings][] = [
  ['fetch', 'fetchMs'],
  ['preprocess', 'preprocessMs'],
  ['queue', 'queuedMs'],
  ['encode', 'encodeMs'],
  ['prefill', 'prefillMs'],
  ['decode', 'decodeMs'],
];

/** Totals that the engine counts itself: [name, help, how to read it]. */
const TOTALS: [string, string, (stats: LLMStats) => number][] = [
  ['prompt_tokens_total', 'Prompt tokens computed or taken from the prefix cache.', (s) => s.numPromptTokens],
  ['generation_tokens_total', 'Tokens generated.', (s) => s.numGeneratedTokens],
  [
    'media_cache_queries_total',
    'Media parts looked up in the processed-media cache.',
    (s) => s.mediaCache.queries,
  ],
  [
    'media_cache_hits_total',
    'Media parts found there: not fetched and not preprocessed.',
    (s) => s.mediaCache.hits,
  ],
  ['media_cache_evictions_total', 'Processed media dropped to make room.', (s) => s.mediaCache.evictions],
  ['encoder_cache_queries_total', 'Media items looked up in the encoder cache.', (s) => s.encoderQueries],
  ['encoder_cache_hits_total', 'Media items found there: not encoded again.', (s) => s.encoderHits],
  [
    'encoder_cache_evictions_total',
    'Encoder rows of a media item dropped to make room.',
    (s) => s.encoderEvictions,
  ],
  ['prefix_cache_queries_total', 'Prompt tokens looked up in the prefix cache.', (s) => s.prefixQueries],
  ['prefix_cache_hits_total', 'Prompt tokens found there: not computed again.', (s) => s.prefixHits],
  [
    'prefix_cache_evictions_total',
    'Blocks of cached prefixes dropped to make room.',
    (s) => s.prefixEvictions,
  ],
  ['preemptions_total', 'Sequences put back to be computed again.', (s) => s.numPreemptions],
  ['engine_steps_total', 'Steps of the engine.', (s) => s.numSteps],
];

/** Values of the moment: [name, help, how to read it]. */
const GAUGES: [string, string, (stats: LLMStats) => number][] = [
  ['num_requests_running', 'Requests the engine computes now.', (s) => s.numRunning],
  ['num_requests_waiting', 'Requests that wait in its queue.', (s) => s.numWaiting],
  [
    'kv_cache_usage_ratio',
    'KV blocks that live requests hold, of all; reusable prefix blocks are not use.',
    (s) => (s.numBlocks === 0 ? 0 : s.numUsedBlocks / s.numBlocks),
  ],
  ['kv_cache_bytes', 'Bytes of the KV cache.', (s) => s.kvCacheBytes],
  ['media_cache_bytes', 'Bytes of processed media held.', (s) => s.mediaCache.sizeBytes],
  ['encoder_cache_bytes', 'Bytes of encoder rows held.', (s) => s.encoderCacheBytes],
  ['prefix_cache_bytes', 'Bytes of the KV cache whose prefixes can be reused.', (s) => s.prefixCacheBytes],
  ['weight_bytes', 'Bytes of the weights.', (s) => s.weightBytes],
];

/** The Prometheus side of one server, in a registry of its own. */
export class ServerMetrics {
  readonly #registry = new Registry();
  readonly #llm: ServerLLM;
  readonly #stopObserving: () => void;
  readonly #mirrors: ((stats: LLMStats) => void)[] = [];
  /** By route and status. Handed over when somebody looks: a labelled counter costs too much for every request. */
  readonly #numRequests = new Map<string, Map<number, number>>();
  readonly #finished = new Counter({
    name: 'sensorium_generations_total',
    help: 'Generation requests that ended, by how: a finish reason, or the code of an error.',
    labelNames: ['outcome'] as const,
    registers: [this.#registry],
  });
  readonly #mediaTokens = new Counter({
    name: 'sensorium_media_tokens_total',
    help: 'Prompt tokens that stand for media.',
    labelNames: ['modality'] as const,
    registers: [this.#registry],
  });
  readonly #stages = new Histogram({
    name: 'sensorium_request_stage_seconds',
    help: 'Time a request spent in each stage.',
    labelNames: ['stage'] as const,
    buckets: SECONDS,
    registers: [this.#registry],
  });
  readonly #firstToken = this.#histogram(
    'time_to_first_token_seconds',
    'From submission to the first token.',
  );
  readonly #endToEnd = this.#histogram('e2e_request_latency_seconds', 'From submission to the end.');
  readonly #perToken = this.#histogram(
    'time_per_output_token_seconds',
    'Mean time between tokens of a request.',
  );
  readonly #interToken = this.#histogram(
    'inter_token_latency_seconds',
    'Time between two events of a stream.',
  );

  constructor(llm: ServerLLM) {
    this.#llm = llm;
    this.#stopObserving = llm.observe((observation) => this.#observe(observation));
    this.#mirrorRequests();
    for (const [name, help, read] of TOTALS) {
      const counter = new Counter({ name: `sensorium_${name}`, help, registers: [this.#registry] });
      this.#mirrors.push((stats) => {
        counter.reset();
        counter.inc(read(stats));
      });
    }
    for (const [name, help, read] of GAUGES) {
      const gauge = new Gauge({ name: `sensorium_${name}`, help, registers: [this.#registry] });
      this.#mirrors.push((stats) => gauge.set(read(stats)));
    }
    const info = new Gauge({
      name: 'sensorium_model_info',
      help: 'Always 1; the labels say what runs.',
      labelNames: ['model', 'architecture', 'isa', 'tile_unit', 'dtype'] as const,
      registers: [this.#registry],
    });
    const { modelId: model, isa, tileUnit, dtype } = llm;
    info.set({ model, architecture: llm.info.architecture, isa, tile_unit: tileUnit, dtype }, 1);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Adds memory, event loop and garbage collection of this process. */
  addProcessMetrics(): void {
    collectDefaultMetrics({ register: this.#registry });
  }

  countRequest(route: string, status: number): void {
    const byStatus = this.#numRequests.get(route) ?? new Map<number, number>();
    if (byStatus.size === 0) this.#numRequests.set(route, byStatus);
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
  }

  observeInterToken(milliseconds: number): void {
    this.#interToken.observe(milliseconds / 1000);
  }

  async render(): Promise<string> {
    const stats = this.#llm.stats();
    for (const mirror of this.#mirrors) mirror(stats);
    return this.#registry.metrics();
  }

  close(): void {
    this.#stopObserving();
    this.#registry.clear();
  }

  #mirrorRequests(): void {
    const counter = new Counter({
      name: 'sensorium_requests_total',
      help: 'HTTP requests answered.',
      labelNames: ['route', 'status'] as const,
      registers: [this.#registry],
    });
    this.#mirrors.push(() => {
      counter.reset();
      for (const [route, byStatus] of this.#numRequests)
        for (const [status, count] of byStatus) counter.inc({ route, status }, count);
    });
  }

  #histogram(name: string, help: string): Histogram {
    return new Histogram({ name: `sensorium_${name}`, help, buckets: SECONDS, registers: [this.#registry] });
  }

  #observe({ finishReasons, errorCode, usage, timings }: RequestObservation): void {
    if (errorCode !== undefined) this.#finished.inc({ outcome: errorCode });
    for (const reason of finishReasons ?? []) this.#finished.inc({ outcome: reason });
    if (usage !== undefined) this.#observeUsage(usage);
    if (timings !== undefined) this.#observeTimings(timings, usage?.completionTokens ?? 0);
  }

  #observeUsage(usage: Usage): void {
    this.#mediaTokens.inc({ modality: 'image' }, usage.imageTokens);
    this.#mediaTokens.inc({ modality: 'video' }, usage.videoTokens);
    this.#mediaTokens.inc({ modality: 'audio' }, usage.audioTokens);
  }

  #observeTimings(timings: Timings, numTokens: number): void {
    for (const [stage, field] of STAGES) this.#stages.observe({ stage }, timings[field] / 1000);
    this.#firstToken.observe(timings.timeToFirstTokenMs / 1000);
    this.#endToEnd.observe(timings.totalMs / 1000);
    if (numTokens > 1) this.#perToken.observe(timings.decodeMs / 1000 / (numTokens - 1));
  }
}
