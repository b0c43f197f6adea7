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
import { newId } from '../request-id.js';
import { completionLogprobs, responseHead, sumUsages, wireUsage } from '../responses.js';
import type { Route, ServerLLM } from '../types.js';

/** What the answers to each prompt begin with: nothing, or the prompt as it was written or as its tokens read. */
function echoesOf(llm: ServerLLM, { hasEcho, prompts }: CompletionRequest): string[] {
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
): object {
  return {
    index,
    text: echo + output.text,
    logprobs: completionLogprobs(output.logprobs),
    finish_reason: output.finishReason,
    stop_reason: output.stopReason,
    ...(body.returnTokenIds && { token_ids: output.tokenIds, prompt_token_ids: result.promptTokenIds }),
  };
}

function toResponse(llm: ServerLLM, id: string, results: RequestResult[], body: CompletionRequest): object {
  const numPerPrompt = body.sampling.n ?? 1;
  const echoes = echoesOf(llm, body);
  return {
    ...responseHead(llm, id, 'text_completion'),
    choices: results.flatMap((result, prompt) =>
      result.outputs.map((output) =>
        toChoice(output, prompt * numPerPrompt + output.index, echoes[prompt] ?? '', result, body),
      ),
    ),
    usage: wireUsage(sumUsages(results.map(({ usage }) => usage))),
    ...(body.returnTokenIds && results.length === 1 && { prompt_token_ids: results[0]!.promptTokenIds }),
  };
}

/** Keeps what a choice has said so far, for the offsets of its logprobs and its first event. */
class ChoiceProgress {
  numCharacters = 0;
  hasBegun = false;
}

function streamShape(
  llm: ServerLLM,
  id: string,
  running: RunningRequest[],
  body: CompletionRequest,
): StreamShape {
  const echoes = echoesOf(llm, body);
  const progress = new Map<number, ChoiceProgress>();
  const progressOf = (choice: number): ChoiceProgress => {
    const known = progress.get(choice) ?? new ChoiceProgress();
    progress.set(choice, known);
    return known;
  };
  const choice = (delta: OutputDelta, index: number, prompt: number): object => {
    const known = progressOf(index);
    const isFirst = !known.hasBegun;
    const offset = known.numCharacters;
    known.hasBegun = true;
    known.numCharacters += (delta.logprobs ?? []).reduce((sum, { token }) => sum + token.length, 0);
    return {
      index,
      text: isFirst ? (echoes[prompt] ?? '') + delta.text : delta.text,
      logprobs: completionLogprobs(delta.logprobs, offset),
      finish_reason: delta.finishReason ?? null,
      stop_reason: delta.stopReason ?? null,
      ...(body.returnTokenIds && { token_ids: delta.tokenIds }),
      ...(body.returnTokenIds && isFirst && { prompt_token_ids: running[prompt]!.promptTokenIds }),
    };
  };
  return {
    head: responseHead(llm, id, 'text_completion'),
    firstFields: () => ({}),
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
  const { llm } = exchange.context;
  const body = parseCompletion(await exchange.readJson());
  checkModel(llm, body.model);
  const id = newId('cmpl');
  const numPrompts = body.prompts.length;
  const submitted = await submitAll(
    body.prompts.map((prompt, index) =>
      llm
        .submitPrompt(prompt, [], submitOptions(exchange, body, numPrompts === 1 ? id : `${id}-${index}`, {}))
        .catch((error: unknown) => blamePrompt(error, index, numPrompts)),
    ),
  );
  const running = body.isPromptOnly ? submitted.map((request) => new PromptOnlyRequest(request)) : submitted;
  if (body.isStream) await streamAll(exchange, running, body, streamShape(llm, id, running, body));
  else exchange.sendJson(200, toResponse(llm, id, await collectAll(running), body));
}

export const completions: Route = { method: 'POST', path: '/v1/completions', handle };
