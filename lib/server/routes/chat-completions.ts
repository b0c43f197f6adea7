import type { CompletionOutput, OutputDelta, RequestResult, RunningRequest } from '../../engine/types.js';
import { parseChatCompletion, type ChatCompletionRequest } from '../../request/chat-completion.js';
import type { Exchange } from '../exchange.js';
import { checkModel, collect, streamAll, submitOptions, type StreamShape } from '../generation.js';
import { newId } from '../request-id.js';
import { chatLogprobs, responseHead, wireUsage, type ResponseHead, type WireUsage } from '../responses.js';
import type { Route, ServerLLM } from '../types.js';

interface ChatCompletion extends ResponseHead {
  choices?: object[];
  usage?: WireUsage;
  prompt_token_ids?: number[];
}

function toMessage(output: CompletionOutput, body: ChatCompletionRequest): object {
  const choice = {
    index: output.index,
    message: { role: 'assistant', content: output.text, refusal: null },
    logprobs: chatLogprobs(output.logprobs),
    finish_reason: output.finishReason,
    stop_reason: output.stopReason,
  };
  return body.returnTokenIds ? { ...choice, token_ids: output.tokenIds } : choice;
}

function toResponse(llm: ServerLLM, id: string, result: RequestResult, body: ChatCompletionRequest): object {
  const response: ChatCompletion = responseHead(llm, id, 'chat.completion');
  response.choices = result.outputs.map((output) => toMessage(output, body));
  response.usage = wireUsage(result.usage);
  if (body.returnTokenIds) response.prompt_token_ids = result.promptTokenIds;
  return response;
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
  const request = await llm.submitChat(body.messages, submitOptions(exchange, body, id, body.options));
  if (body.isStream) {
    await streamAll(exchange, [request], body, streamShape(llm, id, request, body));
    return;
  }
  exchange.sendJson(200, toResponse(llm, id, await collect(request), body));
}

export const chatCompletions: Route = { method: 'POST', path: '/v1/chat/completions', handle };
