import { readFile } from 'node:fs/promises';
import type { MediaPart, Modality } from '../media/types.js';
import type { ChatMessage, ContentPart } from '../request/types.js';

export interface MediaFileFlags {
  image?: string[];
  audio?: string[];
  video?: string[];
}

const MODALITIES = ['image', 'video', 'audio'] as const satisfies readonly Modality[];

async function readPart(modality: Modality, path: string): Promise<ContentPart> {
  const media: MediaPart = { modality, source: { kind: 'bytes', bytes: await readFile(path) }, param: path };
  return { type: 'media', media };
}

/** The files of the flags, pictures first, as content parts. */
export function readMediaParts(flags: MediaFileFlags): Promise<ContentPart[]> {
  const paths = MODALITIES.flatMap((modality) => (flags[modality] ?? []).map((path) => ({ modality, path })));
  return Promise.all(paths.map(({ modality, path }) => readPart(modality, path)));
}

export function userMessage(media: readonly ContentPart[], text: string): ChatMessage {
  return {
    role: 'user',
    content: [...media, { type: 'text', text }],
    isPlainText: media.length === 0,
    extra: {},
  };
}

export function assistantMessage(text: string): ChatMessage {
  return { role: 'assistant', content: [{ type: 'text', text }], isPlainText: true, extra: {} };
}
