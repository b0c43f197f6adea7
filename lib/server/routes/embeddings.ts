import { randomUUID } from 'node:crypto';
import type { PoolingResult } from '../../engine/types.js';
import { SensoriumError, toSensoriumError } from '../../errors.js';
import { parseEmbeddings, type EmbeddingInput, type EmbeddingsRequest } from '../../request/embeddings.js';
import { cacheSaltOf } from '../auth.js';
import type { Exchange } from '../exchange.js';
import { checkModel } from '../generation.js';
import type { Route } from '../types.js';

/** Entries of one request that are computed at the same time. */
const MAX_CONCURRENT = 32;

/** Numbers as a list, or as base64 of little-endian float32. */
function encode(embedding: Float32Array, format: EmbeddingsRequest['encodingFormat']): number[] | string {
  if (format === 'float') return Array.from(embedding);
  const bytes = Buffer.alloc(embedding.length * 4);
  embedding.forEach((value, i) => bytes.writeFloatLE(value, i * 4));
  return bytes.toString('base64');
}

/** What is wrong with an entry's prompt is wrong with `input`. */
function blameInput(error: unknown, index: number, numInputs: number): SensoriumError {
  const param = numInputs === 1 ? 'input' : `input[${index}]`;
  return toSensoriumError(error).renamingParam('prompt', param);
}

async function poolAll(exchange: Exchange, request: EmbeddingsRequest): Promise<PoolingResult[]> {
  const { llm } = exchange.context;
  const { inputs, options, dimensions, isNormalized } = request;
  const failure = new AbortController();
  const signal = AbortSignal.any([exchange.signal, failure.signal]);
  const cacheSalt = cacheSaltOf(exchange.tenant, request.cacheSalt);
  const pooling = { ...options, dimensions, isNormalized, cacheSalt, signal };
  const results: PoolingResult[] = [];
  let next = 0;
  let firstError: SensoriumError | undefined;
  const work = async (): Promise<void> => {
    for (let i = next++; i < inputs.length && firstError === undefined; i = next++) {
      const input = inputs[i] as EmbeddingInput;
      try {
        results[i] =
          'prompt' in input
            ? await llm.poolPrompt(input.prompt, [], pooling)
            : await llm.poolChat(input.messages, pooling);
      } catch (error) {
        firstError ??= blameInput(error, i, inputs.length);
        failure.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(MAX_CONCURRENT, inputs.length) }, work));
  if (firstError !== undefined) throw firstError;
  return results;
}

async function handle(exchange: Exchange): Promise<void> {
  const { llm } = exchange.context;
  if (llm.task !== 'embed') {
    const message = `The model '${llm.modelId}' is not served for embeddings: start it with --runner pooling.`;
    throw new SensoriumError('unsupported_task', message);
  }
  const request = parseEmbeddings(await exchange.readJson(), llm.mediaRules);
  checkModel(llm, request.model);
  const results = await poolAll(exchange, request);
  const numTokens = results.reduce((sum, { numPromptTokens }) => sum + numPromptTokens, 0);
  const numCached = results.reduce((sum, { numCachedTokens }) => sum + numCachedTokens, 0);
  exchange.sendJson(200, {
    id: `embd-${randomUUID()}`,
    object: 'list',
    created: Math.floor(Date.now() / 1000),
    model: llm.modelId,
    data: results.map(({ embedding }, index) => ({
      object: 'embedding',
      index,
      embedding: encode(embedding, request.encodingFormat),
    })),
    usage: {
      prompt_tokens: numTokens,
      total_tokens: numTokens,
      prompt_tokens_details: { cached_tokens: numCached },
    },
  });
}

export const embeddings: Route = { method: 'POST', path: '/v1/embeddings', handle };
