import type { OutputDelta, RequestResult, RunningRequest } from '../../engine/types.js';
import { parseChatCompletion, type ChatCompletionRequest } from '../../request/chat-completion.js';
import type { Exchange } from '../exchange.js';
import { checkModel, collectAll, streamAll, submitOptions, type StreamShape } from '../generation.js';
import { newId } from '../request-id.js';
import { chatLogprobs, responseHead, wireUsage } from '../responses.js';
import type { Route, ServerLLM } from '../types.js';

function toResponse(llm: ServerLLM, id: string, result: RequestResult, body: ChatCompletionRequest): object {
  return {
    ...responseHead(llm, id, 'chat.completion'),
    choices: result.outputs.map((output) => ({
      index: output.index,
      message: { role: 'assistant', content: output.text, refusal: null },
      logprobs: chatLogprobs(output.logprobs),
      finish_reason: output.finishReason,
      stop_reason: output.stopReason,
      ...(body.returnTokenIds && { token_ids: output.tokenIds }),
    })),
    usage: wireUsage(result.usage),
    ...(body.returnTokenIds && { prompt_token_ids: result.promptTokenIds }),
  };
}

function streamShape(
  llm: ServerLLM,
  id: string,
  request: RunningRequest,
  body: ChatCompletionRequest,
): StreamShape {
  const toChoice = (index: number, delta: object, from?: OutputDelta): object => ({
    index,
    delta,
    logprobs: chatLogprobs(from?.logprobs),
    finish_reason: from?.finishReason ?? null,
    ...(from?.finishReason !== undefined && { stop_reason: from.stopReason ?? null }),
    ...(body.returnTokenIds && { token_ids: from?.tokenIds ?? [] }),
  });
  return {
    head: responseHead(llm, id, 'chat.completion.chunk'),
    firstFields: () => (body.returnTokenIds ? { prompt_token_ids: request.promptTokenIds } : {}),
    opening: () =>
      Array.from({ length: body.sampling.n ?? 1 }, (_, index) =>
        toChoice(index, { role: 'assistant', content: '', refusal: null }),
      ),
    choice: (delta, index) => toChoice(index, { content: delta.text }, delta),
  };
}

async function handle(exchange: Exchange): Promise<void> {
  const { llm } = exchange.context;
  const body = parseChatCompletion(await exchange.readJson(), llm.mediaRules);
  checkModel(llm, body.model);
  const id = newId('chatcmpl');
  const request = await llm.submitChat(body.messages, {
    ...body.options,
    ...submitOptions(exchange, body, id),
  });
  if (body.isStream) {
    await streamAll(exchange, [request], body, streamShape(llm, id, request, body));
    return;
  }
  const [result] = await collectAll([request]);
  exchange.sendJson(200, toResponse(llm, id, result!, body));
}

export const chatCompletions: Route = { method: 'POST', path: '/v1/chat/completions', handle };
