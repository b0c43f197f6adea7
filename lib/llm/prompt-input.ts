import { readPayload } from '../chat/media-source.js';
import { MediaCounter, type LocalFile } from '../chat/parts.js';
import { SensoriumError } from '../errors.js';
import type { MediaPart, Modality } from '../media/types.js';
import { checkOptionNames } from './option-names.js';
import type { MediaInput, MediaRules, MultiModalPrompt, PromptInput } from './types.js';

export interface ParsedPrompt {
  prompt: string | number[];
  media: MediaPart[];
  localFiles: LocalFile[];
  mmProcessorKwargs?: Record<string, unknown> | undefined;
}

const MODALITIES: readonly Modality[] = ['image', 'video', 'audio'];
const PROMPT_FIELDS: ReadonlySet<string> = new Set([
  'prompt',
  'multiModalData',
  'multiModalUuids',
  'mmProcessorKwargs',
] satisfies (keyof MultiModalPrompt)[]);

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

function asList<T>(value: T | T[] | undefined): T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

export const isTokenIds = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((id) => typeof id === 'number');

function checkPrompt(prompt: unknown): asserts prompt is string | number[] {
  if (typeof prompt !== 'string' && !isTokenIds(prompt)) {
    throw new SensoriumError('invalid_type', 'prompt must be a text or a list of token ids.', {
      param: 'prompt',
    });
  }
  if (prompt.length === 0)
    throw new SensoriumError('prompt_empty', 'The prompt is empty.', { param: 'prompt' });
}

/** Uuids of one modality, one per item; absent ones are undefined. */
function readUuids(input: MultiModalPrompt, modality: Modality, numItems: number): (string | undefined)[] {
  const uuids = asList(input.multiModalUuids?.[modality]);
  const hasData = input.multiModalData?.[modality] !== undefined;
  if (uuids.length === 0 || !hasData || uuids.length === numItems)
    return uuids.map((uuid) => uuid ?? undefined);
  const param = `multiModalUuids.${modality}`;
  const message = `${param} has ${uuids.length} entries for ${numItems} item(s).`;
  throw new SensoriumError('invalid_value', message, { param });
}

/** Walks the media of one prompt. */
class MediaReader {
  readonly media: MediaPart[] = [];
  readonly localFiles: LocalFile[] = [];
  private readonly counter: MediaCounter;

  constructor(rules: MediaRules) {
    this.counter = new MediaCounter(rules);
  }

  readAll(input: MultiModalPrompt, modality: Modality): void {
    const items = asList<MediaInput | null>(input.multiModalData?.[modality]);
    const uuids = readUuids(input, modality, items.length);
    for (let i = 0; i < Math.max(items.length, uuids.length); i++) {
      this.read(items[i] ?? undefined, uuids[i], modality, `multiModalData.${modality}[${i}]`);
    }
  }

  private read(
    item: MediaInput | undefined,
    uuid: string | undefined,
    modality: Modality,
    param: string,
  ): void {
    this.counter.add(modality, param);
    const part: MediaPart = { modality, uuid, param };
    this.media.push(part);
    if (item === undefined) {
      if (uuid !== undefined) return;
      throw new SensoriumError('missing_field', `${param} is empty and has no uuid.`, { param });
    }
    const source = readPayload(item, { modality, param, isStrict: false, mayBePath: true });
    if (source.kind === 'path') this.localFiles.push({ part, path: source.path });
    else part.source = source;
  }
}

/** Checks a prompt of `generate` and finds its media. */
export function parsePrompt(input: PromptInput, rules: MediaRules): ParsedPrompt {
  if (typeof input === 'string' || Array.isArray(input)) {
    checkPrompt(input);
    return { prompt: input, media: [], localFiles: [] };
  }
  if (typeof input !== 'object' || input === null) {
    throw new SensoriumError(
      'invalid_type',
      'prompt must be a text, token ids or { prompt, multiModalData }.',
      {
        param: 'prompt',
      },
    );
  }
  checkOptionNames(input, PROMPT_FIELDS);
  for (const field of ['multiModalData', 'multiModalUuids'] as const) {
    if (isGiven(input[field])) checkOptionNames(input[field], new Set(MODALITIES));
  }
  checkPrompt(input.prompt);
  const reader = new MediaReader(rules);
  for (const modality of MODALITIES) reader.readAll(input, modality);
  const { media, localFiles } = reader;
  return { prompt: input.prompt, media, localFiles, mmProcessorKwargs: input.mmProcessorKwargs };
}
