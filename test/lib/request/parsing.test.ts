import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChatCompletion } from '../../../lib/request/chat-completion.js';
import { parseCompletion } from '../../../lib/request/completion.js';
import { parseTokenize } from '../../../lib/request/tokenize.js';

const RULES = {
  modalities: ['image'] as const,
  limits: { image: 1, video: 0, audio: 0 },
  hasEmbeddings: false,
};
const MESSAGES = [{ role: 'user', content: 'hi' }];

test('every wire field of a chat completion reaches its option', () => {
  const { sampling, options, ...rest } = parseChatCompletion(
    {
      messages: MESSAGES,
      model: 'm',
      max_completion_tokens: 5,
      min_tokens: 2,
      temperature: 0.1,
      top_p: 0.2,
      top_k: 3,
      min_p: 0.4,
      repetition_penalty: 1.5,
      presence_penalty: -1,
      frequency_penalty: 2,
      logit_bias: { 7: -100 },
      seed: 8,
      stop: ['x'],
      stop_token_ids: [9],
      include_stop_str_in_output: true,
      ignore_eos: true,
      skip_special_tokens: false,
      n: 2,
      logprobs: true,
      top_logprobs: 4,
      stream: true,
      stream_options: { include_usage: true, continuous_usage_stats: null },
      return_token_ids: true,
      cache_salt: 's',
      chat_template_kwargs: { a: 1 },
      mm_processor_kwargs: { fps: 1 },
      media_io_kwargs: { video: { num_frames: 4 } },
      tools: [{ type: 'function' }],
    },
    RULES,
  );
  assert.deepEqual(sampling, {
    maxTokens: 5,
    minTokens: 2,
    temperature: 0.1,
    topP: 0.2,
    topK: 3,
    minP: 0.4,
    repetitionPenalty: 1.5,
    presencePenalty: -1,
    frequencyPenalty: 2,
    logitBias: { 7: -100 },
    seed: 8,
    stop: ['x'],
    stopTokenIds: [9],
    includeStopStrInOutput: true,
    ignoreEos: true,
    skipSpecialTokens: false,
    n: 2,
    logprobs: 4,
  });
  assert.deepEqual(options, {
    chatTemplateKwargs: { a: 1 },
    continueFinalMessage: undefined,
    addGenerationPrompt: true,
    tools: [{ type: 'function' }],
    mmProcessorKwargs: { fps: 1 },
    mediaIoKwargs: { video: { num_frames: 4 } },
  });
  assert.equal(rest.model, 'm');
  assert.equal(rest.cacheSalt, 's');
  assert.ok(rest.isStream && rest.hasUsageEvent && rest.returnTokenIds && !rest.hasContinuousUsage);
});

test('both routes decline what they do not do and check its type', () => {
  const asChat = (fields: object): unknown => parseChatCompletion({ messages: MESSAGES, ...fields }, RULES);
  const asCompletion = (fields: object): unknown => parseCompletion({ prompt: 'x', ...fields });
  for (const parse of [asChat, asCompletion]) {
    for (const fields of [
      { echo: true },
      { response_format: { type: 'json_object' } },
      { bad_words: ['a'] },
    ]) {
      assert.throws(() => parse(fields), { code: 'not_supported', param: Object.keys(fields)[0] });
    }
    for (const fields of [{ echo: 1 }, { response_format: 'text' }, { bad_words: 'a' }]) {
      assert.throws(() => parse(fields), { code: 'invalid_type', param: Object.keys(fields)[0] });
    }
    parse({ echo: null, bad_words: [], response_format: { type: 'text' } });
  }
  assert.throws(() => asCompletion({ best_of: 0 }), { code: 'invalid_value', param: 'best_of' });
  assert.throws(() => asCompletion({ best_of: 2 }), { code: 'not_supported', param: 'best_of' });
  assert.throws(() => asCompletion({ suffix: 1 }), { code: 'invalid_type', param: 'suffix' });
});

test('asking for no top_logprobs is no request for logprobs', () => {
  const { sampling } = parseChatCompletion({ messages: MESSAGES, top_logprobs: 0 }, RULES);
  assert.equal(sampling.logprobs, undefined);
});

test('silence leaves sampling to the checkpoint, and logprobs alone ask for the chosen token', () => {
  const { sampling } = parseChatCompletion({ messages: MESSAGES }, RULES);
  for (const value of Object.values(sampling)) assert.equal(value, undefined);
  assert.equal(parseChatCompletion({ messages: MESSAGES, logprobs: true }, RULES).sampling.logprobs, 0);
});

test('continuing the final message turns the generation prompt off', () => {
  const { options } = parseChatCompletion({ messages: MESSAGES, continue_final_message: true }, RULES);
  assert.equal(options.addGenerationPrompt, false);
});

test('prompts of the completions route in all four forms', () => {
  const promptsOf = (prompt: unknown): unknown => parseCompletion({ prompt }).prompts;
  assert.deepEqual(promptsOf('a'), ['a']);
  assert.deepEqual(promptsOf(['a', 'b']), ['a', 'b']);
  assert.deepEqual(promptsOf([1, 2]), [[1, 2]]);
  assert.deepEqual(promptsOf([[1], [2]]), [[1], [2]]);
});

test('fields of a body cannot reach the prototype', () => {
  const body = JSON.parse(
    '{"messages":[{"role":"user","content":"x","__proto__":{"a":1}}],"__proto__":{"n":9}}',
  ) as object;
  assert.equal(parseChatCompletion(body, RULES).sampling.n, undefined);
  assert.equal(({} as { a?: number }).a, undefined);
});

test('tokenize takes a prompt or messages', () => {
  const prompt = parseTokenize({ prompt: '' }, RULES);
  assert.ok('prompt' in prompt && prompt.addSpecialTokens);
  const chat = parseTokenize({ messages: MESSAGES, add_generation_prompt: false }, RULES);
  assert.ok('messages' in chat && chat.options.addGenerationPrompt === false);
});
