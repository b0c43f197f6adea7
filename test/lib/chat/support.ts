import { ChatRenderer, type ChatRendererParts } from '../../../lib/chat/chat-renderer.js';
import { parseMessages } from '../../../lib/chat/parts.js';
import type { Placeholders } from '../../../lib/chat/content-text.js';
import type { TemplatePoolOptions } from '../../../lib/chat/template-pool.js';
import type { MediaRules } from '../../../lib/llm/types.js';
import { openModelFolder } from '../../../lib/model-folder/model-folder.js';
import type { ChatMessage } from '../../../lib/request/types.js';
import { Tokenizer } from '../../../lib/tokenizer/tokenizer.js';
import { modelFolderOf } from '../support/goldens.js';

export const RULES: MediaRules = {
  modalities: ['image', 'video', 'audio'],
  limits: { image: 8, video: 8, audio: 8 },
  hasEmbeddings: true,
};

const SPELLINGS: Record<
  string,
  [start: string, tokens: Partial<Record<'image' | 'video' | 'audio', string>>, end: string]
> = {
  qwen2: ['', {}, ''],
  qwen2_vl: ['<|vision_start|>', { image: '<|image_pad|>', video: '<|video_pad|>' }, '<|vision_end|>'],
  qwen2_5_vl: ['<|vision_start|>', { image: '<|image_pad|>', video: '<|video_pad|>' }, '<|vision_end|>'],
  qwen2_5_omni: ['<|vision_bos|>', { image: '<|IMAGE|>', video: '<|VIDEO|>' }, '<|vision_eos|>'],
};

export function placeholdersOf(family: string, tokenizer: Tokenizer): Placeholders {
  const [start, tokens, end] = SPELLINGS[family] ?? ['', {}, ''];
  const placeholders: Placeholders = {};
  for (const [modality, token] of Object.entries(tokens) as ['image' | 'video', string][]) {
    placeholders[modality] = {
      token,
      tokenId: tokenizer.tokenToId(token) ?? -1,
      spelling: start + token + end,
    };
  }
  if (family === 'qwen2_5_omni') {
    const token = '<|AUDIO|>';
    const spelling = `<|audio_bos|>${token}<|audio_eos|>`;
    placeholders.audio = { token, tokenId: tokenizer.tokenToId(token) ?? -1, spelling };
  }
  return placeholders;
}

export interface Chat {
  tokenizer: Tokenizer;
  renderer: ChatRenderer;
  placeholderIds: ReadonlySet<number>;
}

/** A family's renderer; `template` replaces the checkpoint's. Close its renderer. */
export async function openChat(
  family: string,
  template?: string,
  pool?: Partial<TemplatePoolOptions>,
  more: Partial<ChatRendererParts> = {},
): Promise<Chat> {
  const { tokenizerJson, tokenizerConfig, chatTemplates } = await openModelFolder(modelFolderOf(family));
  const tokenizer = new Tokenizer(tokenizerJson, tokenizerConfig);
  const placeholders = placeholdersOf(family, tokenizer);
  const templates = template === undefined ? chatTemplates : { default: template };
  const renderer = await ChatRenderer.create({
    tokenizer,
    placeholders,
    templates,
    tokenizerConfig,
    pool,
    ...more,
  });
  return {
    tokenizer,
    renderer,
    placeholderIds: new Set(Object.values(placeholders).map(({ tokenId }) => tokenId)),
  };
}

export function parse(messages: unknown): ChatMessage[] {
  return parseMessages(messages, { rules: RULES, isStrict: true }).messages;
}

export const IMAGE = { type: 'image_url', image_url: { url: 'https://example.com/a.png' } };
export const VIDEO = { type: 'video_url', video_url: { url: 'https://example.com/a.mp4' } };
export const AUDIO = { type: 'audio_url', audio_url: { url: 'https://example.com/a.wav' } };
