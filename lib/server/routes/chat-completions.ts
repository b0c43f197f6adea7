import type { CompletionOutput, OutputDelta, RequestResult, RunningRequest } from '../../engine/types.js';
import { parseChatCompletion, type ChatCompletionRequest } from '../../request/chat-completion.js';
import type { Exchange } from '../exchange.js';
import { checkModel, collect, streamAll, submitOptions, type StreamShape } from '../generation.js';
import { chatLogprobs, responseHead, usageJson, type JsonText } from '../responses.js';
import type { Route, ServerContext } from '../types.js';

function toMessage(output: CompletionOutput, body: ChatCompletionRequest): JsonText {
  const message = `{"role":"assistant","content":${JSON.stringify(output.text)},"refusal":null}`;
  const logprobs = chatLogprobs(output.logprobs);
  const end = `"finish_reason":"${output.finishReason}","stop_reason":${JSON.stringify(output.stopReason ?? null)}`;
  const ids = body.returnTokenIds ? `,"token_ids":${JSON.stringify(output.tokenIds)}` : '';
  return `{"index":${output.index},"message":${message},"logprobs":${logprobs},${end}${ids}}`;
}

function toResponse(
  context: ServerContext,
  id: string,
  result: RequestResult,
  body: ChatCompletionRequest,
): JsonText {
  const head = responseHead(context, id, 'chat.completion');
  const choices = result.outputs.map((output) => toMessage(output, body)).join(',');
  const ids = body.returnTokenIds ? `,"prompt_token_ids":${JSON.stringify(result.promptTokenIds)}` : '';
  return `${head},"choices":[${choices}],"usage":${usageJson(result.usage)}${ids}}`;
}

/** One choice of an event; of what comes before the first delta there is no delta. */
function toChoice(index: number, delta: JsonText, body: ChatCompletionRequest, from?: OutputDelta): JsonText {
  const start = `{"index":${index},"delta":${delta},"logprobs":${chatLogprobs(from?.logprobs)}`;
  const ids = body.returnTokenIds ? `,"token_ids":${JSON.stringify(from?.tokenIds ?? [])}` : '';
  if (from?.finishReason === undefined) return `${start},"finish_reason":null${ids}}`;
  const stopReason = JSON.stringify(from.stopReason ?? null);
  return `${start},"finish_reason":"${from.finishReason}","stop_reason":${stopReason}${ids}}`;
}

const ROLE = '{"role":"assistant","content":"","refusal":null}';

function streamShape(
  context: ServerContext,
  id: string,
  request: RunningRequest,
  body: ChatCompletionRequest,
): StreamShape {
  return {
    head: responseHead(context, id, 'chat.completion.chunk'),
    firstFields: () =>
      body.returnTokenIds ? `,"prompt_token_ids":${JSON.stringify(request.promptTokenIds)}` : '',
    opening: () => Array.from({ length: body.sampling.n ?? 1 }, (_, index) => toChoice(index, ROLE, body)),
    choice: (delta, index) => toChoice(index, `{"content":${JSON.stringify(delta.text)}}`, body, delta),
  };
}

async function handle(exchange: Exchange): Promise<void> {
  const { context } = exchange;
  const { llm } = context;
  const body = parseChatCompletion(await exchange.readJson(), llm.mediaRules);
  checkModel(llm, body.model);
  const id = context.ids.next('chatcmpl');
  const request = await llm.submitChat(body.messages, submitOptions(exchange, body, id, body.options));
  if (body.isStream) {
    await streamAll(exchange, [request], body, streamShape(context, id, request, body));
    return;
  }
  exchange.sendJsonText(200, toResponse(context, id, await collect(request), body));
}

export const chatCompletions: Route = { method: 'POST', path: '/v1/chat/completions', handle };
