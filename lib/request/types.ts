import type { MediaOptions, MediaPart } from '../media/types.js';

/** Checked sampling parameters. Absent ones take the checkpoint's generation_config, then the engine's defaults. */
export interface SamplingOptions {
  maxTokens?: number | undefined;
  minTokens?: number | undefined;
  temperature?: number | undefined;
  topP?: number | undefined;
  topK?: number | undefined;
  minP?: number | undefined;
  repetitionPenalty?: number | undefined;
  presencePenalty?: number | undefined;
  frequencyPenalty?: number | undefined;
  logitBias?: Record<string, number> | undefined;
  seed?: number | undefined;
  stop?: string | string[] | undefined;
  stopTokenIds?: number[] | undefined;
  includeStopStrInOutput?: boolean | undefined;
  ignoreEos?: boolean | undefined;
  skipSpecialTokens?: boolean | undefined;
  /** Number of best tokens reported beside the chosen one; absent: no logprobs. */
  logprobs?: number | undefined;
  n?: number | undefined;
}

/** A content part after checking: text, or a reference to a media part. `extra`: further keys, for templates to read. */
export type ContentPart =
  | { type: 'text'; text: string; extra?: Record<string, unknown> | undefined }
  | { type: 'media'; media: MediaPart; extra?: Record<string, unknown> | undefined };

export interface ChatMessage {
  role: string;
  content: ContentPart[];
  /** Whether the wire form was a plain string (some templates tell them apart). */
  isPlainText: boolean;
  /** Other fields a template may read: name, tool_calls, tool_call_id, reasoning_content. */
  extra: Record<string, unknown>;
}

/** How long a model that can think may do so; templates read it. */
export type ReasoningEffort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max';

export interface ChatOptions extends MediaOptions {
  chatTemplateKwargs?: Record<string, unknown> | undefined;
  addGenerationPrompt?: boolean | undefined;
  continueFinalMessage?: boolean | undefined;
  tools?: unknown[] | undefined;
  /** For templates of retrieval: objects with a title and a text, as a rule. */
  documents?: unknown[] | undefined;
  reasoningEffort?: ReasoningEffort | undefined;
  /** Puts the tokenizer's own BOS and its like around the rendered template. Default false: templates print them. */
  addSpecialTokens?: boolean | undefined;
  /** Jinja text of this request alone; taken only where the model was loaded with `trustRequestChatTemplate`. */
  chatTemplate?: string | undefined;
}

/** A rendered, not yet expanded prompt: each media part is one placeholder token. */
export interface RenderedPrompt {
  tokenIds: number[];
  /** In prompt order. */
  media: MediaPart[];
}
