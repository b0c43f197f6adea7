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
      documents: [{ title: 't', text: 'd' }],
      reasoning_effort: 'low',
      add_special_tokens: true,
      chat_template: '{{ messages }}',
      add_generation_prompt: false,
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
    addGenerationPrompt: false,
    tools: [{ type: 'function' }],
    documents: [{ title: 't', text: 'd' }],
    reasoningEffort: 'low',
    addSpecialTokens: true,
    chatTemplate: '{{ messages }}',
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
    for (const fields of [{ response_format: { type: 'json_object' } }, { bad_words: ['a'] }]) {
      assert.throws(() => parse(fields), { code: 'not_supported', param: Object.keys(fields)[0] });
    }
    for (const fields of [{ echo: 1 }, { response_format: 'text' }, { bad_words: 'a' }]) {
      assert.throws(() => parse(fields), { code: 'invalid_type', param: Object.keys(fields)[0] });
    }
    parse({ echo: null, bad_words: [], response_format: { type: 'text' } });
  }
  assert.throws(() => asChat({ echo: true }), { code: 'not_supported', param: 'echo' });
  assert.throws(() => asCompletion({ best_of: 0 }), { code: 'invalid_value', param: 'best_of' });
  assert.throws(() => asCompletion({ best_of: 2 }), { code: 'not_supported', param: 'best_of' });
  assert.throws(() => asCompletion({ best_of: 2, n: 3 }), { code: 'invalid_value', param: 'best_of' });
  asCompletion({ best_of: 3, n: 3 });
  assert.throws(() => asCompletion({ echo: true, logprobs: 0 }), { code: 'not_supported', param: 'echo' });
  assert.throws(() => asCompletion({ max_tokens: 0 }), { code: 'invalid_value', param: 'max_tokens' });
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

test('the generation prompt and the continuation exclude each other only where both are asked for', () => {
  const optionsOf = (fields: object): unknown =>
    parseChatCompletion({ messages: MESSAGES, ...fields }, RULES).options.addGenerationPrompt;
  assert.equal(optionsOf({}), true);
  assert.equal(optionsOf({ continue_final_message: true, add_generation_prompt: false }), false);
  assert.equal(optionsOf({ continue_final_message: false, add_generation_prompt: true }), true);
  assert.throws(() => optionsOf({ continue_final_message: true, add_generation_prompt: true }), {
    code: 'invalid_value',
    param: 'continue_final_message',
  });
});

test('fields of the prompt with a wrong type or value are named', () => {
  const cases: [fields: object, code: string, param: string][] = [
    [{ chat_template: 7 }, 'invalid_type', 'chat_template'],
    [{ chat_template: '' }, 'invalid_value', 'chat_template'],
    [{ chat_template_kwargs: [] }, 'invalid_type', 'chat_template_kwargs'],
    [{ chat_template_kwargs: { chat_template: 'x' } }, 'invalid_value', 'chat_template_kwargs.chat_template'],
    [{ chat_template_kwargs: { tokenize: true } }, 'invalid_value', 'chat_template_kwargs.tokenize'],
    [{ add_generation_prompt: 'yes' }, 'invalid_type', 'add_generation_prompt'],
    [{ continue_final_message: 1 }, 'invalid_type', 'continue_final_message'],
    [{ add_special_tokens: 'no' }, 'invalid_type', 'add_special_tokens'],
    [{ documents: {} }, 'invalid_type', 'documents'],
    [{ documents: ['text'] }, 'invalid_type', 'documents[0]'],
    [{ reasoning_effort: 'much' }, 'invalid_value', 'reasoning_effort'],
    [{ mm_processor_kwargs: 'x' }, 'invalid_type', 'mm_processor_kwargs'],
    [{ media_io_kwargs: { video: 2 } }, 'invalid_type', 'media_io_kwargs.video'],
    [{ cache_salt: '' }, 'invalid_value', 'cache_salt'],
    [{ cache_salt: 'x'.repeat(257) }, 'invalid_value', 'cache_salt'],
    [{ cache_salt: '\ud800' }, 'invalid_value', 'cache_salt'],
    [{ cache_salt: 7 }, 'invalid_type', 'cache_salt'],
  ];
  for (const [fields, code, param] of cases) {
    assert.throws(
      () => parseChatCompletion({ messages: MESSAGES, ...fields }, RULES),
      { code, param },
      param,
    );
    if (param === 'cache_salt')
      assert.throws(() => parseTokenize({ prompt: 'x', ...fields }, RULES), { code, param });
  }
  assert.equal(parseTokenize({ prompt: 'x', cache_salt: 'a\u0000b\n' }, RULES).cacheSalt, 'a\u0000b\n');
});

test('hostile numbers are refused by their field', () => {
  const asChat = (fields: object): unknown => parseChatCompletion({ messages: MESSAGES, ...fields }, RULES);
  const asCompletion = (fields: object): unknown => parseCompletion({ prompt: 'x', ...fields });
  const numbers = [2 ** 31, 2 ** 53, -1, -(2 ** 31), 1.5, NaN, Infinity, -Infinity, '1', true, [1], {}];
  for (const field of ['n', 'max_tokens', 'max_completion_tokens', 'top_logprobs', 'min_tokens']) {
    for (const value of numbers) {
      assert.throws(() => asChat({ logprobs: true, [field]: value }), { status: 400, param: field }, field);
    }
  }
  for (const field of ['n', 'max_tokens', 'logprobs', 'best_of', 'min_tokens']) {
    for (const value of numbers) {
      assert.throws(() => asCompletion({ [field]: value }), { status: 400, param: field }, field);
    }
  }
  for (const field of [
    'temperature',
    'top_p',
    'min_p',
    'presence_penalty',
    'frequency_penalty',
    'repetition_penalty',
  ]) {
    for (const value of [2 ** 31, -(2 ** 31), NaN, Infinity, '1', [1]]) {
      assert.throws(() => asChat({ [field]: value }), { status: 400, param: field }, field);
      assert.throws(() => asCompletion({ [field]: value }), { status: 400, param: field }, field);
    }
  }
  const lists: [fields: object, param: string][] = [
    [{ stop: Array.from({ length: 65 }, () => 'a') }, 'stop'],
    [{ stop: [1] }, 'stop[0]'],
    [{ stop: [''] }, 'stop[0]'],
    [{ stop: 'x'.repeat(1025) }, 'stop'],
    [{ stop_token_ids: [2 ** 31] }, 'stop_token_ids[0]'],
    [{ stop_token_ids: [-1] }, 'stop_token_ids[0]'],
    [{ logit_bias: { 7: 1e9 } }, 'logit_bias[7]'],
    [{ logit_bias: { x: 1 } }, 'logit_bias'],
    [{ seed: 2 ** 70 }, 'seed'],
  ];
  for (const [fields, param] of lists) {
    assert.throws(() => asCompletion(fields), { status: 400, param }, param);
  }
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
