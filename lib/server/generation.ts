import type { OutputDelta, RequestResult, RunningRequest, Usage } from '../engine/types.js';
import { SensoriumError, toSensoriumError } from '../errors.js';
import type { GenerationBody } from '../request/common.js';
import type { SubmitOptions } from '../llm/types.js';
import { cacheSaltOf } from './auth.js';
import type { Exchange } from './exchange.js';
import { countsJson, sumUsages, usageJson, type JsonText } from './responses.js';
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
  filled.paramStyle = 'snake';
  return withSignal(filled, exchange);
}

const EXCHANGE = Symbol('exchange');
const LAZY_SIGNAL: PropertyDescriptor & ThisType<{ [EXCHANGE]: Exchange }> = {
  enumerable: true,
  configurable: true,
  get() {
    return this[EXCHANGE].signal;
  },
};

/** `options` whose signal is made when it is read. */
function withSignal<T extends object>(options: T & { [EXCHANGE]?: Exchange }, exchange: Exchange): T {
  options[EXCHANGE] = exchange;
  return Object.defineProperty(options, 'signal', LAZY_SIGNAL);
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

/** How a route words its stream, in JSON. `choice` is the index among all choices of the request. */
export interface StreamShape {
  /** What all events begin with. */
  head: JsonText;
  /** Choices that come before the first delta of all. */
  opening(): JsonText[];
  choice(delta: OutputDelta, choice: number, prompt: number): JsonText;
  /** Fields beside `choices`, told with the first event, each with a comma before it. */
  firstFields(): JsonText;
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
    if (body.hasUsageEvent) writer.writeUsage(sumUsages(results.map(({ usage }) => usage)));
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
  const { metrics } = exchange.context;
  const firstChoice = prompt * (body.sampling.n ?? 1);
  let lastMs: number | undefined;
  for await (const delta of request) {
    const nowMs = performance.now();
    if (lastMs !== undefined) metrics.observeInterToken(nowMs - lastMs);
    lastMs = nowMs;
    if (!writer.writeDelta(delta, prompt, firstChoice + delta.index)) await writer.untilDrained();
  }
}

/** Words deltas as events. What it writes gives false when the client does not keep up. */
class ChunkWriter {
  #isFirst = true;
  #numCompletionTokens = 0;

  constructor(
    private readonly stream: EventStream,
    private readonly running: readonly RunningRequest[],
    private readonly body: GenerationBody,
    private readonly shape: StreamShape,
  ) {}

  untilDrained(): Promise<void> {
    return this.stream.untilDrained();
  }

  writeDelta(delta: OutputDelta, prompt: number, choice: number): boolean {
    if (this.#isFirst) {
      this.#isFirst = false;
      this.#writeOpening();
    }
    this.#numCompletionTokens += delta.tokenIds.length;
    return this.#write(this.shape.choice(delta, choice, prompt));
  }

  writeUsage(usage: Usage): boolean {
    return this.stream.write(`${this.shape.head},"choices":[],"usage":${usageJson(usage)}}`);
  }

  #writeOpening(): void {
    let extra = this.shape.firstFields();
    for (const choice of this.shape.opening()) {
      this.#write(choice, extra);
      extra = '';
    }
  }

  #write(choice: JsonText, extra = ''): boolean {
    return this.stream.write(`${this.shape.head},"choices":[${choice}]${this.#usageField()}${extra}}`);
  }

  #usageField(): JsonText {
    if (!this.body.hasContinuousUsage) return this.body.hasUsageEvent ? ',"usage":null' : '';
    const numPrompt = this.running.reduce((sum, { promptTokenIds }) => sum + promptTokenIds.length, 0);
    return `,"usage":${countsJson(numPrompt, this.#numCompletionTokens)}`;
  }
}
