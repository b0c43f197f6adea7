import type { OutputDelta, RequestResult, RunningRequest, Usage } from '../engine/types.js';
import { SensoriumError, toSensoriumError } from '../errors.js';
import type { GenerationBody } from '../request/common.js';
import type { SubmitOptions } from '../llm/types.js';
import { cacheSaltOf } from './auth.js';
import type { Exchange } from './exchange.js';
import { sumUsages, wireUsage, type ResponseHead, type WireUsage } from './responses.js';
import { EventStream } from './sse.js';
import type { ServerLLM } from './types.js';

/** Throws `model_not_found` unless `model` is absent or one of the served names. */
export function checkModel(llm: ServerLLM, model: string | undefined): void {
  if (model === undefined || llm.modelIds.includes(model)) return;
  const message = `The model '${model.slice(0, 256)}' is not served here; '${llm.modelId}' is.`;
  throw new SensoriumError('model_not_found', message, { param: 'model' });
}

/** `options` with what the engine needs of a checked body besides its prompt. */
export function submitOptions<T extends object>(
  exchange: Exchange,
  body: GenerationBody,
  requestId: string,
  options: T,
): T & SubmitOptions {
  const filled: T & SubmitOptions = options;
  filled.sampling = body.sampling;
  filled.requestId = requestId;
  filled.cacheSalt = cacheSaltOf(exchange.tenant, body.cacheSalt);
  filled.signal = exchange.signal;
  filled.paramStyle = 'snake';
  return filled;
}

/** Submits every prompt or none: when one is refused, the others are aborted. */
export async function submitAll(submissions: Promise<RunningRequest>[]): Promise<RunningRequest[]> {
  const outcomes = await Promise.allSettled(submissions);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed === undefined) return Promise.all(submissions);
  for (const outcome of outcomes) {
    if (outcome.status !== 'fulfilled') continue;
    outcome.value.result().catch(() => undefined);
    outcome.value.abort();
  }
  throw failed.reason;
}

/** The result of one prompt. */
export async function collect(request: RunningRequest): Promise<RequestResult> {
  try {
    return await request.result();
  } catch (error) {
    request.abort();
    throw error;
  }
}

/** The results of all prompts; the first failure aborts the rest. */
export async function collectAll(running: readonly RunningRequest[]): Promise<RequestResult[]> {
  try {
    return await Promise.all(running.map((request) => request.result()));
  } catch (error) {
    for (const request of running) request.abort();
    throw error;
  }
}

/** How a route words its stream. `choice` is the index among all choices of the request. */
export interface StreamShape {
  head: ResponseHead;
  /** Choices that come before the first delta of all. */
  opening(): object[];
  choice(delta: OutputDelta, choice: number, prompt: number): object;
  /** Fields beside `choices`, told with the first event. */
  firstFields(): object;
}

/** Streams the deltas of all prompts, one event each, then the usage if it was asked for. */
export async function streamAll(
  exchange: Exchange,
  running: readonly RunningRequest[],
  body: GenerationBody,
  shape: StreamShape,
): Promise<void> {
  const stream = new EventStream(exchange);
  const writer = new ChunkWriter(stream, running, body, shape);
  try {
    await Promise.all(running.map((request, prompt) => pump(exchange, request, prompt, body, writer)));
    const results = await collectAll(running);
    if (body.hasUsageEvent) await writer.writeUsage(sumUsages(results.map(({ usage }) => usage)));
    stream.end();
  } catch (error) {
    for (const request of running) request.abort();
    if (!stream.hasBegun) throw error;
    const failure = toSensoriumError(error);
    exchange.context.log.warn({ requestId: exchange.requestId, code: failure.code }, failure.message);
    stream.fail(failure);
  }
}

async function pump(
  exchange: Exchange,
  request: RunningRequest,
  prompt: number,
  body: GenerationBody,
  writer: ChunkWriter,
): Promise<void> {
  let lastMs: number | undefined;
  for await (const delta of request) {
    const nowMs = performance.now();
    if (lastMs !== undefined) exchange.context.metrics.observeInterToken(nowMs - lastMs);
    lastMs = nowMs;
    await writer.writeDelta(delta, prompt, prompt * (body.sampling.n ?? 1) + delta.index);
  }
}

class ChunkWriter {
  #isFirst = true;
  #numCompletionTokens = 0;

  constructor(
    private readonly stream: EventStream,
    private readonly running: readonly RunningRequest[],
    private readonly body: GenerationBody,
    private readonly shape: StreamShape,
  ) {}

  async writeDelta(delta: OutputDelta, prompt: number, choice: number): Promise<void> {
    if (this.#isFirst) {
      this.#isFirst = false;
      await this.#writeOpening();
    }
    this.#numCompletionTokens += delta.tokenIds.length;
    await this.stream.send(this.#chunk([this.shape.choice(delta, choice, prompt)]));
  }

  async writeUsage(usage: Usage): Promise<void> {
    await this.stream.send({ ...this.shape.head, choices: [], usage: wireUsage(usage) });
  }

  async #writeOpening(): Promise<void> {
    let extra = this.shape.firstFields();
    for (const choice of this.shape.opening()) {
      await this.stream.send({ ...this.#chunk([choice]), ...extra });
      extra = {};
    }
  }

  #chunk(choices: object[]): object {
    const chunk = { ...this.shape.head, choices };
    if (this.body.hasContinuousUsage) return { ...chunk, usage: this.#usageSoFar() };
    return this.body.hasUsageEvent ? { ...chunk, usage: null } : chunk;
  }

  #usageSoFar(): WireUsage {
    const numPrompt = this.running.reduce((sum, { promptTokenIds }) => sum + promptTokenIds.length, 0);
    return {
      prompt_tokens: numPrompt,
      completion_tokens: this.#numCompletionTokens,
      total_tokens: numPrompt + this.#numCompletionTokens,
    };
  }
}
