import type { KeyedItem, ProcessedItem } from '../processors/types.js';

/** Gives back the native memory of an item. */
export function disposeItem({ media, paddedMedia, audio }: ProcessedItem): void {
  media.dispose();
  paddedMedia?.dispose();
  if (audio !== undefined) disposeItem(audio);
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
