import type { NativeMedia } from '../native/addon.js';
import type { ExpandedPrompt, KeyedItem, ProcessedItem } from '../processors/types.js';

/** Everything of an item that lies in native memory. */
function mediaOf({ media, paddedMedia, audio }: ProcessedItem): NativeMedia[] {
  const own = paddedMedia === undefined ? [media] : [media, paddedMedia];
  return audio === undefined ? own : [...own, ...mediaOf(audio)];
}

/** Gives back the native memory of an item. */
export function disposeItem(item: ProcessedItem): void {
  for (const media of mediaOf(item)) media.dispose();
}

/** Gives back media that were made for this prompt alone: they belong to none of its `items`. */
export function disposeOfPrompt(prompt: ExpandedPrompt, items: readonly KeyedItem[]): void {
  const owned = new Set(items.flatMap(mediaOf));
  for (const media of prompt.media.flatMap(({ item }) => mediaOf(item)))
    if (!owned.has(media)) media.dispose();
}

/** Counts who needs an item, and disposes of it with the last of them: a collector would learn of megabytes much later. */
export class ItemHolds {
  private readonly counts = new Map<KeyedItem, number>();

  take(item: KeyedItem): KeyedItem {
    this.counts.set(item, (this.counts.get(item) ?? 0) + 1);
    return item;
  }

  /** Ends one hold that was taken. */
  release(item: KeyedItem): void {
    const count = this.counts.get(item);
    if (count === undefined) return;
    if (count > 1) {
      this.counts.set(item, count - 1);
      return;
    }
    this.counts.delete(item);
    disposeItem(item);
  }
}
