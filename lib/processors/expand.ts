import { SensoriumError } from '../errors.js';
import type { Modality } from '../media/types.js';
import type { ExpandedPrompt, KeyedItem, PlaceholderTokens } from './types.js';

/** Grows a prompt token by token and notes where each item's rows go. */
export class PromptBuilder {
  readonly tokenIds: number[] = [];
  private readonly media: ExpandedPrompt['media'] = [];
  private readonly numTokens: Record<Modality, number> = { image: 0, video: 0, audio: 0 };

  add(tokenId: number): void {
    this.tokenIds.push(tokenId);
  }

  /** Opens an item; its runs are added in the order of its rows. */
  addItem(
    item: KeyedItem,
    isInterleavedWithAudio = false,
  ): { addRun: (tokenId: number, count: number) => void } {
    const runs: [number, number][] = [];
    this.media.push({ item, runs, isInterleavedWithAudio });
    const addRun = (tokenId: number, count: number): void => {
      if (count === 0) return;
      runs.push([this.tokenIds.length, count]);
      for (let i = 0; i < count; i++) this.tokenIds.push(tokenId);
      this.numTokens[item.modality] += count;
    };
    return { addRun };
  }

  build(): ExpandedPrompt {
    return {
      promptIds: Int32Array.from(this.tokenIds),
      media: this.media,
      numTokensByModality: this.numTokens,
    };
  }
}

/** Writes the tokens of one item in place of its placeholder at `index`; returns how many prompt tokens it took. */
export type ItemWriter = (
  builder: PromptBuilder,
  item: KeyedItem,
  placeholder: PlaceholderTokens,
  tokenIds: readonly number[],
  index: number,
) => number;

/** One placeholder token becomes one run. */
export const writeOneRun: ItemWriter = (builder, item, placeholder) => {
  builder.addItem(item).addRun(placeholder.tokenId, item.numTokens);
  return 1;
};

/**
 * Replaces the k-th placeholder of each modality by the k-th item's tokens.
 * Throws `placeholder_mismatch` when a modality has more or fewer placeholders than items.
 */
export function expandPlaceholders(
  tokenIds: readonly number[],
  items: readonly KeyedItem[],
  placeholders: Partial<Record<Modality, PlaceholderTokens>>,
  write: ItemWriter,
): ExpandedPrompt {
  const builder = new PromptBuilder();
  const byTokenId = new Map(
    Object.entries(placeholders).map(([modality, tokens]) => [tokens.tokenId, { modality, tokens }]),
  );
  const waiting = new Map<string, KeyedItem[]>();
  for (const item of items) waiting.set(item.modality, [...(waiting.get(item.modality) ?? []), item]);
  for (let i = 0; i < tokenIds.length;) {
    const tokenId = tokenIds[i] as number;
    const placeholder = byTokenId.get(tokenId);
    if (placeholder === undefined) {
      builder.add(tokenId);
      i++;
      continue;
    }
    const item = waiting.get(placeholder.modality)?.shift();
    if (item === undefined)
      throw mismatch(`more ${placeholder.modality} placeholders than ${placeholder.modality} parts`);
    i += write(builder, item, placeholder.tokens, tokenIds, i);
  }
  for (const [modality, rest] of waiting) {
    if (rest.length > 0) throw mismatch(`fewer ${modality} placeholders than ${modality} parts`);
  }
  return builder.build();
}

function mismatch(what: string): SensoriumError {
  return new SensoriumError('placeholder_mismatch', `The prompt has ${what}.`);
}
