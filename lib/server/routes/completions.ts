import type { CompletionOutput, OutputDelta, RequestResult, RunningRequest } from '../../engine/types.js';
import { toSensoriumError } from '../../errors.js';
import { parseCompletion, type CompletionRequest } from '../../request/completion.js';
import type { Exchange } from '../exchange.js';
import {
  checkModel,
  collectAll,
  streamAll,
  submitAll,
  submitOptions,
  type StreamShape,
} from '../generation.js';
import { PromptOnlyRequest } from '../prompt-only.js';
import { completionLogprobs, responseHead, sumUsages, usageJson, type JsonText } from '../responses.js';
import type { Route, ServerContext } from '../types.js';

/** `end`: the reasons as JSON; a choice that goes on has none. */
function writeChoice(
  index: number,
  text: string,
  logprobs: JsonText,
  end: JsonText,
  ids: JsonText,
): JsonText {
  return `{"index":${index},"text":${JSON.stringify(text)},"logprobs":${logprobs},${end}${ids}}`;
}

const idsField = (name: string, ids: readonly number[]): JsonText => `,"${name}":${JSON.stringify(ids)}`;

/** What the answers to each prompt begin with: nothing, or the prompt as it was written or as its tokens read. */
function echoesOf({ llm }: ServerContext, { hasEcho, prompts }: CompletionRequest): string[] {
  return prompts.map((prompt) => {
    if (!hasEcho) return '';
    return typeof prompt === 'string' ? prompt : llm.detokenize(prompt, { skipSpecialTokens: false });
  });
}

function toChoice(
  output: CompletionOutput,
  index: number,
  echo: string,
  result: RequestResult,
  body: CompletionRequest,
): JsonText {
  const logprobs = completionLogprobs(output.logprobs);
  const end = `"finish_reason":"${output.finishReason}","stop_reason":${JSON.stringify(output.stopReason ?? null)}`;
  const ids = body.returnTokenIds
    ? idsField('token_ids', output.tokenIds) + idsField('prompt_token_ids', result.promptTokenIds)
    : '';
  return writeChoice(index, echo + output.text, logprobs, end, ids);
}

function toResponse(
  context: ServerContext,
  id: string,
  results: RequestResult[],
  body: CompletionRequest,
): JsonText {
  const numPerPrompt = body.sampling.n ?? 1;
  const echoes = echoesOf(context, body);
  const choices = results.flatMap((result, prompt) =>
    result.outputs.map((output) =>
      toChoice(output, prompt * numPerPrompt + output.index, echoes[prompt] ?? '', result, body),
    ),
  );
  const head = responseHead(context, id, 'text_completion');
  const usage = usageJson(sumUsages(results.map((result) => result.usage)));
  const hasPrompt = body.returnTokenIds && results.length === 1;
  const ids = hasPrompt ? idsField('prompt_token_ids', results[0]!.promptTokenIds) : '';
  return `${head},"choices":[${choices.join(',')}],"usage":${usage}${ids}}`;
}

/** Keeps what a choice has said so far, for the offsets of its logprobs and its first event. */
class ChoiceProgress {
  numCharacters = 0;
  hasBegun = false;
}

function streamShape(
  context: ServerContext,
  id: string,
  running: RunningRequest[],
  body: CompletionRequest,
): StreamShape {
  const echoes = echoesOf(context, body);
  const progress = new Map<number, ChoiceProgress>();
  const progressOf = (choice: number): ChoiceProgress => {
    const known = progress.get(choice) ?? new ChoiceProgress();
    progress.set(choice, known);
    return known;
  };
  const choice = (delta: OutputDelta, index: number, prompt: number): JsonText => {
    const known = progressOf(index);
    const logprobs = completionLogprobs(delta.logprobs, known.numCharacters);
    const reason = JSON.stringify(delta.finishReason ?? null);
    const end = `"finish_reason":${reason},"stop_reason":${JSON.stringify(delta.stopReason ?? null)}`;
    let ids = '';
    if (body.returnTokenIds) {
      ids = idsField('token_ids', delta.tokenIds);
      if (!known.hasBegun) ids += idsField('prompt_token_ids', running[prompt]!.promptTokenIds);
    }
    const text = known.hasBegun ? delta.text : (echoes[prompt] ?? '') + delta.text;
    known.hasBegun = true;
    known.numCharacters += (delta.logprobs ?? []).reduce((sum, { token }) => sum + token.length, 0);
    return writeChoice(index, text, logprobs, end, ids);
  };
  return {
    head: responseHead(context, id, 'text_completion'),
    firstFields: () => '',
    opening: () => [],
    choice,
  };
}

/** Names the prompt that was refused: `prompt`, or its entry in the list. */
function blamePrompt(error: unknown, index: number, numPrompts: number): never {
  const failure = toSensoriumError(error);
  throw numPrompts === 1 ? failure : failure.renamingParam('prompt', `prompt[${index}]`);
}

async function handle(exchange: Exchange): Promise<void> {
  const { context } = exchange;
  const { llm } = context;
  const body = parseCompletion(await exchange.readJson());
  checkModel(llm, body.model);
  const id = context.ids.next('cmpl');
  const numPrompts = body.prompts.length;
  const submitted = await submitAll(
    body.prompts.map((prompt, index) =>
      llm
        .submitPrompt(prompt, [], submitOptions(exchange, body, numPrompts === 1 ? id : `${id}-${index}`, {}))
        .catch((error: unknown) => blamePrompt(error, index, numPrompts)),
    ),
  );
  const running = body.isPromptOnly ? submitted.map((request) => new PromptOnlyRequest(request)) : submitted;
  if (body.isStream) await streamAll(exchange, running, body, streamShape(context, id, running, body));
  else exchange.sendJsonText(200, toResponse(context, id, await collectAll(running), body));
}

export const completions: Route = { method: 'POST', path: '/v1/completions', handle };
