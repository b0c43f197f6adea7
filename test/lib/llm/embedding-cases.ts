import { join } from 'node:path';
import type { Modality } from '../../../lib/media/types.js';
import { readTensor } from '../native/support.js';
import { goldenCases, type GoldenCase } from '../support/goldens.js';

export type Part = Record<string, any>;

/** One medium of a golden case as the rows that the reference's encoder made of it. */
export interface CaseItem {
  modality: Modality;
  rows: { data: Float32Array; shape: number[] };
  /** `image_grid_thw` and its like, by name. */
  extras: Record<string, { data: Int32Array | Float32Array; shape: number[] }>;
}

const KINDS: [key: string, modality: Modality][] = [
  ['image_url', 'image'],
  ['video_url', 'video'],
  ['input_audio', 'audio'],
  ['audio_url', 'audio'],
];

export const modalityOf = (part: Part): Modality | undefined =>
  KINDS.find(([key]) => part[key] !== undefined)?.[1];

function readItem({ folder }: GoldenCase, modality: Modality, index: number): CaseItem {
  const file = join(folder, 'expected.safetensors');
  const rows = readTensor(file, `${modality}_embeds.${index}`);
  const item: CaseItem = {
    modality,
    rows: { data: rows.values as Float32Array, shape: rows.shape },
    extras: {},
  };
  if (modality === 'audio') return item;
  const name = `${modality}_grid_thw`;
  const grids = readTensor(file, name).values as Int32Array;
  item.extras[name] = { data: grids.slice(index * 3, index * 3 + 3), shape: [3] };
  if (modality === 'image') return item;
  const seconds = readTensor(file, 'second_per_grid_ts').values as Float32Array;
  item.extras.second_per_grid_ts = { data: seconds.slice(index, index + 1), shape: [1] };
  return item;
}

/** Media of a case, in the order of its parts. */
export function itemsOf(golden: GoldenCase): CaseItem[] {
  const counts = { image: 0, video: 0, audio: 0 };
  return golden.request.messages
    .flatMap(({ content }: { content: unknown }) => (Array.isArray(content) ? content : []))
    .map((part: Part) => modalityOf(part))
    .filter((modality: Modality | undefined) => modality !== undefined)
    .map((modality: Modality) => readItem(golden, modality, counts[modality]++));
}

export const asPart = ({ modality, rows, extras }: CaseItem): Part => ({
  type: `${modality}_embeds`,
  [`${modality}_embeds`]: { [`${modality}_embeds`]: rows, ...extras },
});

/** The case's messages with the k-th medium replaced by what `replace` makes of it. */
export function messagesWith(
  golden: GoldenCase,
  replace: (item: CaseItem, index: number, part: Part) => Part,
): any[] {
  const items = itemsOf(golden);
  let index = 0;
  return golden.request.messages.map((message: Part) => {
    if (!Array.isArray(message.content)) return message;
    const content = message.content.map((part: Part) => {
      if (modalityOf(part) === undefined) return part;
      const replaced = replace(items[index]!, index, part);
      index++;
      return replaced;
    });
    return { ...message, content };
  });
}

/** The cases of a family that have media, each its own (no sound inside a clip). */
export const mediaCases = (family: string): GoldenCase[] =>
  goldenCases(family).filter(
    ({ request, expected }) =>
      expected.use_audio_in_video !== true &&
      JSON.stringify(request.messages ?? '').match(/"(image_url|video_url|input_audio|audio_url)"/),
  );

export const caseOf = (family: string, name: string): GoldenCase =>
  goldenCases(family).find((golden) => golden.name === name)!;
