import { parseMessages } from '../chat/parts.js';
import { SensoriumError } from '../errors.js';
import type { MediaRules } from '../llm/types.js';
import {
  DECLINED,
  declinedProperties,
  isNotEmpty,
  mediaProperties,
  streamProperties,
  toStreamFields,
  type GenerationBody,
  type WireMediaOptions,
  type WireStream,
} from './common.js';
import { MAX_LOGPROBS, samplingProperties, toSamplingOptions, type WireSampling } from './sampling.js';
import type { ChatMessage, ChatOptions, ReasoningEffort, SamplingOptions } from './types.js';
import { bodyChecker, refuseUnsupported, type JsonObject, type UnsupportedRules } from './validate.js';

export interface ChatCompletionRequest extends GenerationBody {
  messages: ChatMessage[];
  options: ChatOptions;
}

/** Fields that decide how messages become a prompt; `/tokenize` takes them too. */
export interface WireChat extends WireMediaOptions {
  messages: unknown[];
  tools?: unknown[];
  documents?: unknown[];
  reasoning_effort?: ReasoningEffort;
  chat_template?: string;
  chat_template_kwargs?: Record<string, unknown>;
  add_generation_prompt?: boolean;
  continue_final_message?: boolean;
  add_special_tokens?: boolean;
}

interface WireChatCompletion extends WireChat, WireSampling, WireStream {
  max_completion_tokens?: number;
  logprobs?: boolean;
  top_logprobs?: number;
}

/** Values of `reasoning_effort`. */
export const REASONING_EFFORTS: readonly ReasoningEffort[] = [
  'none',
  'minimal',
  'low',
  'medium',
  'high',
  'xhigh',
  'max',
];

export const chatProperties = {
  messages: { type: 'array', minItems: 1, maxItems: 4096 },
  tools: { type: 'array', maxItems: 128, items: { type: 'object' } },
  documents: { type: 'array', maxItems: 1024, items: { type: 'object' } },
  reasoning_effort: { type: 'string', enum: [...REASONING_EFFORTS] },
  chat_template: { type: 'string', minLength: 1 },
  chat_template_kwargs: { type: 'object', maxProperties: 64 },
  add_generation_prompt: { type: 'boolean' },
  continue_final_message: { type: 'boolean' },
  add_special_tokens: { type: 'boolean' },
  ...mediaProperties,
};

const checkBody = bodyChecker<WireChatCompletion>(
  {
    ...chatProperties,
    ...samplingProperties,
    ...streamProperties,
    max_completion_tokens: samplingProperties.max_tokens,
    ...declinedProperties,
    logprobs: { type: 'boolean' },
    top_logprobs: { type: 'integer', minimum: 0, maximum: MAX_LOGPROBS },
  },
  ['messages'],
);

const UNSUPPORTED: UnsupportedRules = {
  ...DECLINED,
  tool_choice: (value) => value !== 'auto' && value !== 'none',
  functions: isNotEmpty,
  modalities: (value) => !Array.isArray(value) || value.some((modality) => modality !== 'text'),
  audio: () => true,
};

/** The chat options of a checked body. Whether a template of the request is taken is for the model to say. */
export function toChatOptions(body: WireChat): ChatOptions {
  for (const key of ['chat_template', 'tokenize']) {
    if (body.chat_template_kwargs === undefined || !Object.hasOwn(body.chat_template_kwargs, key)) continue;
    throw new SensoriumError('invalid_value', `'chat_template_kwargs' must not set '${key}'.`, {
      param: `chat_template_kwargs.${key}`,
    });
  }
  if (body.add_generation_prompt === true && body.continue_final_message === true) {
    throw new SensoriumError(
      'invalid_value',
      "'add_generation_prompt' and 'continue_final_message' cannot both be true.",
      { param: 'continue_final_message' },
    );
  }
  return {
    chatTemplateKwargs: body.chat_template_kwargs,
    continueFinalMessage: body.continue_final_message,
    addGenerationPrompt: body.add_generation_prompt ?? body.continue_final_message !== true,
    tools: body.tools,
    documents: body.documents,
    reasoningEffort: body.reasoning_effort,
    addSpecialTokens: body.add_special_tokens,
    chatTemplate: body.chat_template,
    mmProcessorKwargs: body.mm_processor_kwargs,
    mediaIoKwargs: body.media_io_kwargs,
  };
}

function toSampling(body: WireChatCompletion): SamplingOptions {
  const { logprobs = false, top_logprobs: topLogprobs } = body;
  if (topLogprobs !== undefined && topLogprobs > 0 && !logprobs) {
    throw new SensoriumError('invalid_value', "'top_logprobs' is only allowed with 'logprobs': true.", {
      param: 'top_logprobs',
    });
  }
  const sampling = toSamplingOptions(body, body.max_completion_tokens ?? body.max_tokens);
  sampling.logprobs = logprobs ? (topLogprobs ?? 0) : undefined;
  return sampling;
}

/** Checks the body of POST /v1/chat/completions. */
export function parseChatCompletion(body: unknown, rules: MediaRules): ChatCompletionRequest {
  const wire = checkBody(body);
  refuseUnsupported(wire as unknown as JsonObject, UNSUPPORTED);
  // Field by field: V8 makes objects that begin with a spread many times slower, on the busiest route.
  const request = toStreamFields(wire) as ChatCompletionRequest;
  request.sampling = toSampling(wire);
  request.options = toChatOptions(wire);
  request.messages = parseMessages(wire.messages, { rules, isStrict: true }).messages;
  return request;
}
